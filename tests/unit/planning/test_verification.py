"""The acceptance report: every promise is kept in a recorded cluster, and each one is broken once by one thing."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from topologies import topology

from gedge_provision.models.changes import Change, Difference
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.plan import Plan
from gedge_provision.models.runs import HostFailure, RunResult
from gedge_provision.models.site import Site
from gedge_provision.models.snapshot import ClusterSnapshot
from gedge_provision.models.topology import Topology
from gedge_provision.models.verification import Report
from gedge_provision.planning.gpu_stack import Cause, Finding
from gedge_provision.planning.plans import make_plan
from gedge_provision.planning.verification import CLUSTER_PROMISES, NODE_PROMISES, grouped, host_problems, make_report
from gedge_provision.planning.verification._kubelet import FIELDS

RECORDED = json.loads((Path(__file__).parents[2] / "fixtures/verification/snapshot.json").read_text(encoding="utf-8"))
M1, W1, W2 = "gedgem01", "gedgew01", "gedgew02"
M1_API, VIRTUAL_API = "192.0.2.11:6443", "192.0.2.10:8443"
GIB = 2**20  # in Ki

SITE = {
    "name": "edge",
    "node_classes": {
        "manager": {},
        "ai-worker": {"kubelet": {"cpu_manager_policy": "static", "kube_reserved": {"cpu": "500m"}}},
    },
    "nodes": [
        {"name": M1, "address": "192.0.2.11", "roles": ["control_plane"], "node_class": "manager"},
        {"name": W1, "address": "192.0.2.21", "node_class": "ai-worker"},
        {"name": W2, "address": "192.0.2.22", "node_class": "ai-worker"},
    ],
}


@dataclass
class World:
    """What a report is made of, as data that a test may spoil."""

    site: dict[str, Any] = field(default_factory=lambda: deepcopy(SITE))
    cluster: dict[str, Any] = field(default_factory=lambda: deepcopy(RECORDED))
    changes: dict[str, list[Change]] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    topologies: dict[str, Topology] = field(default_factory=dict)

    def report(self) -> Report:
        site = Site.model_validate(self.site)
        plan = make_plan(site, "d1", self.changes, differences=self.differences)
        snapshot = ClusterSnapshot.model_validate(self.cluster)
        return make_report(
            site,
            "d1",
            plan,
            snapshot,
            runtime_version="v2.3.4",
            host_problems=self.problems,
            topologies=self.topologies,
        )

    def failed(self) -> set[tuple[str, str]]:
        return {(check.node, check.id) for check in self.report().failed}

    def node(self, name: str) -> dict[str, Any]:
        return named(self.cluster["nodes"], name)

    def kubelet(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster["kubelets"][name]["configuration"]
        return found

    def condition(self, node: str, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = next(c for c in self.node(node)["status"]["conditions"] if c["type"] == kind)
        return found

    def pod(self, prefix: str, node: str) -> dict[str, Any]:
        return next(
            pod
            for pod in self.cluster["pods"]
            if pod["metadata"]["name"].startswith(prefix) and pod["spec"]["nodeName"] == node
        )

    def edit(self, config_map: str, old: str, new: str) -> None:
        data = named(self.cluster["configMaps"], config_map)["data"]
        assert any(old in text for text in data.values())
        data.update({key: text.replace(old, new) for key, text in data.items()})


def named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(item for item in items if item["metadata"]["name"] == name)


def server_pod(node: str) -> dict[str, Any]:
    """A ready pod of the GSE API server."""
    metadata = {"name": f"gse-api-server-{node}", "namespace": "kube-system", "labels": {"app": "gse-api-server"}}
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": metadata, "spec": {"nodeName": node}, "status": ready}


def promising() -> World:
    """A world whose site promises everything that a site can promise, and whose cluster keeps it."""
    world = World()
    world.site["kubernetes"] = {"metrics_server": True}
    world.cluster["metrics"] = {"nodes": [M1, W1, W2]}
    world.site["gse_api_server"] = {"external_port": 9443}
    places = [f"{node['address']}:9443" for node in world.site["nodes"]]
    world.cluster["gseApiServer"] = {
        "fingerprint": "AB:CD",
        "notAfter": "2030-01-01T00:00:00Z",
        "shown": dict.fromkeys(places, "AB:CD"),
    }
    world.cluster["pods"] += [server_pod(M1), server_pod(W1)]
    world.site["control_plane"] = {"virtual_ip": "192.0.2.10", "extra_sans": ["edge.example.org"]}
    world.site["node_classes"]["ai-worker"] = {
        "labels": {"example.org/a": "b"},
        "taints": [{"key": "example.org/only", "value": "ai", "effect": "NoSchedule"}],
        "kubelet": {
            "cpu_manager_policy": "static",
            "cpu_manager_policy_options": {"full-pcpus-only": True},
            "reserved_system_cpus": "0",
            "kube_reserved": {"memory": "1Gi"},
            "system_reserved": {"memory": "2Gi"},
            "topology_manager_policy_options": {"prefer-closest-numa-nodes": True},
            "memory_manager_policy": "Static",
            "reserved_memory": [{"numa_node": 0, "memory": "3172Mi"}],
        },
        "cpus": {"huge_pages": [{"size": "2Mi", "count": 256, "at": "runtime"}]},
    }
    world.topologies = {name: topology("two-cpus") for name in (W1, W2)}
    for name in (W1, W2):
        node = world.node(name)
        node["metadata"]["labels"]["example.org/a"] = "b"
        node["spec"]["taints"] = [
            {"key": "example.org/only", "value": "ai", "effect": "NoSchedule"},
            {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"},  # set by Kubernetes: does not count
        ]
        status = node["status"]
        status["capacity"]["hugepages-2Mi"] = "1Gi"
        memory = int(status["capacity"]["memory"].removesuffix("Ki")) - 4 * GIB - 100 * 1024
        status["allocatable"] |= {"cpu": "1", "memory": f"{memory}Ki"}
        world.kubelet(name).update(
            {
                "cpuManagerPolicyOptions": {"full-pcpus-only": "true"},
                "reservedSystemCPUs": "0",
                "kubeReserved": {"memory": "1Gi"},
                "systemReserved": {"memory": "2Gi"},
                "topologyManagerPolicyOptions": {"prefer-closest-numa-nodes": "true"},
                "memoryManagerPolicy": "Static",
                "reservedMemory": [{"numaNode": 0, "limits": {"memory": "3172Mi"}}],
            }
        )
    world.cluster["server"] = f"https://{VIRTUAL_API}"
    world.edit("kubeadm-config", M1_API, VIRTUAL_API)
    shown = world.cluster["certificates"][M1_API]
    shown["names"] += ["192.0.2.10", "Edge.Example.org"]
    world.cluster["certificates"][VIRTUAL_API] = deepcopy(shown)
    return world


def runs_as(key: str, value: object) -> Callable[[World], None]:
    return lambda world: world.kubelet(W1).update({key: value})


def to_do(*words: str) -> Callable[[World], None]:
    return lambda world: world.changes.update({W1: [Change(words[1], words[2], words[0])]})


def not_ready(prefix: str, node: str) -> Callable[[World], None]:
    def spoil(world: World) -> None:
        for condition in world.pod(prefix, node)["status"]["conditions"]:
            condition["status"] = "False"

    return spoil


def unready(world: World) -> None:
    world.condition(W1, "Ready").update(status="Unknown", message="Kubelet stopped posting node status.")


def older(what: str, version: str) -> Callable[[World], None]:
    return lambda world: world.node(W1)["status"]["nodeInfo"].update({what: version})


def missing(world: World) -> None:
    world.cluster["nodes"].remove(world.node(W1))


# Each promise, whose it is, and one thing that breaks it; with what cannot but break together with it.
BREAKS: dict[str, tuple[str, Callable[[World], None], set[tuple[str, str]]]] = {
    "api-endpoint": ("", lambda w: w.cluster.update(server=f"https://{M1_API}"), set()),
    "api-virtual-ip": ("", lambda w: w.cluster["certificates"].update({VIRTUAL_API: {"problem": "no answer"}}), set()),
    "api-version": ("", lambda w: w.cluster.update(version="v1.35.0"), set()),
    "cluster-name": ("", lambda w: w.edit("kubeadm-config", "clusterName: edge", "clusterName: other"), set()),
    "cluster-nodes": ("", lambda w: w.cluster["nodes"].append({"metadata": {"name": "stranger"}}), set()),
    "cluster-objects": (
        "",
        lambda w: w.changes.update({M1: [Change("DaemonSet", "kube-flannel/kube-flannel", "change")]}),
        set(),
    ),
    "etcd-members": (
        "",
        lambda w: w.cluster["pods"].append(
            {
                "metadata": {
                    "name": "e",
                    "namespace": "kube-system",
                    "labels": {"tier": "control-plane", "component": "etcd"},
                },
                "spec": {"nodeName": W1},
            }
        ),
        set(),
    ),
    "network-pods": ("", lambda w: w.edit("kube-flannel-cfg", "10.244.0.0/16", "10.245.0.0/16"), set()),
    "network-services": (
        "",
        lambda w: named(w.cluster["services"], "kubernetes")["spec"].update(clusterIP="10.97.0.1"),
        set(),
    ),
    "network-flannel-settings": ("", lambda w: w.edit("kube-flannel-cfg", "8472", "8473"), set()),
    "network-rollout": (
        "",
        lambda w: named(w.cluster["daemonSets"], "kube-proxy")["status"].update(updatedNumberScheduled=2),
        set(),
    ),
    "dns-available": (
        "",
        lambda w: named(w.cluster["deployments"], "coredns")["status"].update(availableReplicas=1),
        set(),
    ),
    "dns-address": (
        "",
        lambda w: named(w.cluster["services"], "kube-dns")["spec"].update(clusterIP="10.97.0.10"),
        {(name, "kubelet-cluster-dns") for name in (M1, W1, W2)},
    ),
    "dns-domain": ("", lambda w: w.edit("coredns", "kubernetes cluster.local", "kubernetes other.local"), set()),
    "node-present": (
        W1,
        missing,
        {
            (W1, p.id)
            for p in NODE_PROMISES
            if p.needs in {"node", "kubelet"} and p.concern not in ("attachments", "gpu", "emulated gpus")
        },
    ),
    "node-ready": (W1, unready, set()),
    "node-pressure": (W1, lambda w: w.condition(W1, "DiskPressure").update(status="True"), set()),
    "node-schedulable": (W1, lambda w: w.node(W1)["spec"].update(unschedulable=True), set()),
    "node-address": (W1, lambda w: w.node(W1)["status"]["addresses"][0].update(address="192.0.2.99"), set()),
    "node-role": (
        W1,
        lambda w: w.node(W1)["metadata"]["labels"].update({"node-role.kubernetes.io/control-plane": ""}),
        set(),
    ),
    "node-labels": (W1, lambda w: w.node(W1)["metadata"]["labels"].update({"example.org/a": "c"}), set()),
    "node-taints": (W1, lambda w: w.node(W1)["spec"]["taints"].append({"key": "x", "effect": "NoExecute"}), set()),
    "node-version": (W1, older("kubeletVersion", "v1.35.0"), set()),
    "node-runtime": (W1, older("containerRuntimeVersion", "containerd://2.2.0"), set()),
    "node-cpu-allocatable": (W1, lambda w: w.node(W1)["status"]["allocatable"].update(cpu="2"), set()),
    "node-memory-allocatable": (W1, lambda w: w.node(W1)["status"]["allocatable"].update(memory="1Gi"), set()),
    "node-differences": (
        W1,
        lambda w: w.differences.append(Difference(W1, "version", f"{W1}: the kubelet is v1")),
        set(),
    ),
    "kubelet-cpu-manager-policy": (W1, runs_as("cpuManagerPolicy", "none"), set()),
    "kubelet-cpu-manager-policy-options": (W1, runs_as("cpuManagerPolicyOptions", {}), set()),
    "kubelet-reserved-system-cpus": (W1, runs_as("reservedSystemCPUs", "0-1"), set()),
    "node-huge-pages": (
        W1,
        lambda w: w.node(W1)["status"]["capacity"].update({"hugepages-2Mi": "510Mi"}),
        {(W1, "node-memory-allocatable")},
    ),
    "kubelet-topology-manager-policy": (W1, runs_as("topologyManagerPolicy", "none"), set()),
    "kubelet-topology-manager-scope": (W1, runs_as("topologyManagerScope", "pod"), set()),
    "kubelet-topology-manager-policy-options": (W1, runs_as("topologyManagerPolicyOptions", None), set()),
    "kubelet-memory-manager-policy": (W1, runs_as("memoryManagerPolicy", "None"), set()),
    "kubelet-reserved-memory": (W1, runs_as("reservedMemory", []), set()),
    "kubelet-kube-reserved": (W1, runs_as("kubeReserved", {"memory": "2Gi"}), set()),
    "kubelet-system-reserved": (W1, runs_as("systemReserved", {}), set()),
    "kubelet-max-pods": (W1, runs_as("maxPods", 20), set()),
    "kubelet-cluster-domain": (W1, runs_as("clusterDomain", "other.local"), set()),
    "kubelet-cluster-dns": (W1, runs_as("clusterDNS", ["10.96.0.11"]), set()),
    "control-plane-etcd": (M1, not_ready("etcd", M1), {("", "etcd-members")}),
    "control-plane-kube-apiserver": (M1, not_ready("kube-apiserver", M1), set()),
    "control-plane-kube-controller-manager": (M1, not_ready("kube-controller-manager", M1), set()),
    "control-plane-kube-scheduler": (M1, lambda w: w.cluster["pods"].remove(w.pod("kube-scheduler", M1)), set()),
    "api-certificate-names": (M1, lambda w: w.cluster["certificates"][M1_API]["names"].remove("192.0.2.10"), set()),
    "api-certificate-validity": (
        M1,
        lambda w: w.cluster["certificates"][M1_API].update(notAfter="2026-12-20T00:00:00Z"),
        set(),
    ),
    "network-pod-range": (W1, lambda w: w.node(W1)["spec"].update(podCIDR="10.99.1.0/24"), set()),
    "network-flannel": (W1, not_ready("kube-flannel", W1), set()),
    "network-backend": (
        W1,
        lambda w: w.node(W1)["metadata"]["annotations"].update({"flannel.alpha.coreos.com/backend-type": "host-gw"}),
        set(),
    ),
    "network-kube-proxy": (W1, lambda w: w.cluster["pods"].remove(w.pod("kube-proxy", W1)), set()),
    "metrics-answer": ("", lambda w: w.cluster["metrics"]["nodes"].remove(W2), set()),
    "gse-pods": ("", lambda w: w.cluster["pods"].remove(w.pod("gse-api-server", W1)), set()),
    "gse-answers": ("", lambda w: w.cluster["gseApiServer"].update(problem="no endpoints available"), set()),
    "gse-certificate": ("", lambda w: w.cluster["gseApiServer"]["shown"].popitem(), set()),
    "host-files": (W1, to_do("change", "file", "/etc/a"), set()),
    "host-units": (W1, to_do("start", "unit", "kubelet.service"), set()),
    "host-kernel": (W1, to_do("set", "sysctl", "a=1"), set()),
    "host-programs": (W1, to_do("change", "binary", "crictl"), set()),
    "host-images": (W1, to_do("create", "image", "pause"), set()),
    "host-complete": (W1, to_do("join", "node", W1), set()),
}


def test_every_promise_is_broken_in_this_table() -> None:
    promises = (*CLUSTER_PROMISES, *NODE_PROMISES)
    assert len(promises) == len({promise.id for promise in promises})
    # Those of networks and of emulated GPUs have their own tables, the GPU operator's its own test.
    elsewhere = ("sriov", "attachments", "gpu", "emulated gpus")
    assert set(BREAKS) == {promise.id for promise in promises if promise.concern not in elsewhere}


def test_a_cluster_that_keeps_everything_passes_everything() -> None:
    report = promising().report()
    assert report.failed == ()
    passed = {check.id for check in report.checks if check.status == "pass"}
    assert passed == set(BREAKS)
    # The manager's class leaves open what that of the workers decides.
    assert {check.node for check in report.checks if check.status == "not-applicable"} == {M1}


@pytest.mark.parametrize(
    ("told", "evidence"),
    [
        ({"notAfter": "2026-01-01T00:00:00Z"}, "it ends on 2026-01-01"),
        ({"notAfter": None}, "its pods were started without one that is known"),
        ({"fingerprint": "12:34"}, "192.0.2.11:9443 shows AB:CD"),
    ],
)
def test_a_certificate_that_ends_or_is_another_one_is_told(told: dict[str, Any], evidence: str) -> None:
    world = promising()
    world.cluster["gseApiServer"].update(told)
    (failed,) = world.report().failed
    assert failed.id == "gse-certificate"
    assert evidence in failed.evidence


def test_a_server_that_is_reached_inside_only_shows_its_certificate_to_nobody_here() -> None:
    world = promising()
    world.site["gse_api_server"] = {}
    world.cluster["gseApiServer"]["shown"] = {}
    checks = {check.id: check for check in world.report().checks}
    assert checks["gse-certificate"].status == "pass"
    assert checks["gse-certificate"].evidence == "SHA-256 AB:CD, until 2030-01-01"
    assert "gse-api-server.kube-system.svc" in checks["gse-answers"].evidence


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_fails_with_evidence_and_remedy_and_nothing_else_does(name: str) -> None:
    node, spoil, follows = BREAKS[name]
    world = promising()
    spoil(world)
    assert world.failed() == {(node, name)} | follows
    assert all(check.evidence and check.remedy for check in world.report().failed)


def test_a_recorded_lab_keeps_its_promises_and_what_its_site_leaves_open_is_not_applicable() -> None:
    report = World().report()
    assert report.failed == ()
    assert {check.id for check in report.checks if check.status == "not-applicable"} == {
        "api-virtual-ip",
        "kubelet-cpu-manager-policy-options",
        "kubelet-kube-reserved",
        "kubelet-reserved-memory",
        "kubelet-reserved-system-cpus",
        "kubelet-system-reserved",
        "kubelet-topology-manager-policy-options",
        "node-huge-pages",
    }
    assert report.counts.passed + report.counts.failed + report.counts.not_applicable == len(report.checks)


def test_a_cluster_that_does_not_answer_fails_what_it_is_asked_for_and_the_hosts_are_judged_all_the_same() -> None:
    world = promising()
    now = world.cluster["taken"]
    world.cluster = {"taken": now, "server": "https://192.0.2.10:8443", "problem": "no answer"}
    report = world.report()
    passed = {check.id for check in report.checks if check.status == "pass"}
    assert passed == {"cluster-objects", "node-differences", *(name for name in BREAKS if name.startswith("host-"))}
    said = {check.id: check.evidence for check in report.failed}
    assert said["dns-available"] == said["kubelet-max-pods"] == said["api-endpoint"] == "no answer"
    assert report.cluster_version == ""


def test_a_host_that_cannot_be_looked_at_fails_and_says_why() -> None:
    world = promising()
    world.problems = {W1: "check mode fails on it: the host does not answer -> switch it on"}
    assert world.failed() == {(W1, name) for name in BREAKS if name.startswith("host-")}
    assert {(check.evidence, check.remedy) for check in world.report().failed} == {
        ("check mode fails on it: the host does not answer", "switch it on")
    }
    world.problems = {M1: "the look ended early"}
    assert ("", "cluster-objects") in world.failed()
    assert {check.evidence for check in world.report().failed if check.node == W2} == {f"{M1}: the look ended early"}


def test_a_kubelet_that_does_not_tell_fails_what_its_configuration_proves() -> None:
    world = promising()
    world.cluster["kubelets"][W1] = {"problem": "connection refused"}
    assert world.failed() == {(W1, p.id) for p in NODE_PROMISES if p.needs == "kubelet"}


def test_memory_is_counted_with_an_eviction_threshold_in_percent() -> None:
    world = promising()
    world.kubelet(W1)["evictionHard"]["memory.available"] = "10%"
    assert world.failed() == {(W1, "node-memory-allocatable")}
    capacity = int(world.node(W1)["status"]["capacity"]["memory"].removesuffix("Ki")) * 1024
    allocatable = capacity - 4 * GIB * 1024 - int(capacity / 10)
    world.node(W1)["status"]["allocatable"]["memory"] = str(allocatable)
    assert world.failed() == set()


def test_two_nodes_with_one_pod_range_are_told() -> None:
    world = World()
    world.node(W2)["spec"]["podCIDR"] = world.node(W1)["spec"]["podCIDR"]
    assert world.failed() == {(W1, "network-pod-range"), (W2, "network-pod-range")}


def test_host_gateways_have_no_vni_and_no_port() -> None:
    world = World()
    world.site["networks"] = {"flannel": {"backend": "host-gw"}}
    world.edit("kube-flannel-cfg", '{"Type": "vxlan", "VNI": 1, "Port": 8472}', '{"Type": "host-gw"}')
    for node in world.cluster["nodes"]:
        node["metadata"]["annotations"] |= {
            "flannel.alpha.coreos.com/backend-type": "host-gw",
            "flannel.alpha.coreos.com/backend-data": "null",
        }
    assert world.failed() == set()


@pytest.mark.parametrize("text", ["", "- a list", "{broken"])
def test_settings_that_are_missing_or_no_settings_are_a_broken_promise_and_not_an_error(text: str) -> None:
    world = World()
    for config_map in world.cluster["configMaps"]:
        config_map["data"] = dict.fromkeys(config_map["data"], text)
    assert {("", "network-pods"), ("", "network-flannel-settings"), ("", "dns-domain")} <= world.failed()
    world.cluster |= {"configMaps": [], "services": [], "deployments": [], "daemonSets": []}
    assert {("", "dns-available"), ("", "network-rollout"), ("", "network-services")} <= world.failed()


def test_reports_are_compared_without_their_time() -> None:
    before, after = World(), World()
    after.cluster["taken"] = "2026-12-01T00:00:00Z"
    first, second = before.report(), after.report()
    assert first != second
    assert first.findings == second.findings
    assert Report.model_validate_json(first.model_dump_json()) == first
    after.node(W1)["spec"]["unschedulable"] = True
    assert after.report().findings != first.findings


def test_evidence_is_one_line_that_can_be_read() -> None:
    world = World()
    world.changes = {W1: [Change("file", f"/etc/{number}", "change") for number in range(30)]}
    world.differences = [Difference(W2, "kubelet", "long\n" * 500)]
    said = {check.id: check.evidence for check in world.report().failed}
    assert said["host-files"].endswith("to do: change file /etc/7; and 22 more")
    assert len(said["node-differences"]) < 420
    assert "\n" not in said["node-differences"]


def test_groups_and_checks_that_fail_come_first() -> None:
    world = World()
    world.node(W2)["spec"]["unschedulable"] = True
    groups = grouped(world.report())
    assert [group.title for group in groups] == [W2, "the cluster", M1, W1]
    assert [group.title for group in groups[0].groups] == ["node", "kubelet", "network", "host"]
    assert groups[0].groups[0].checks[0].id == "node-schedulable"
    assert groups[0].count("fail") == 1


def test_every_kubelet_setting_of_a_class_has_a_check() -> None:
    settings = KubeletSettings.model_validate(promising().site["node_classes"]["ai-worker"]["kubelet"]).to_kubelet()
    assert set(settings) | {"memoryManagerPolicy"} == set(FIELDS)


def test_an_empty_plan_is_enough() -> None:
    report = make_report(
        Site.model_validate(SITE),
        "d1",
        Plan(site="edge", site_sha256="d1"),
        ClusterSnapshot.model_validate(RECORDED),
        runtime_version="v2.3.4",
    )
    assert report.failed == ()


def test_a_stack_of_the_gpu_operator_that_is_not_well_fails_with_its_first_cause() -> None:
    described = Site.model_validate({**SITE, "node_classes": {"manager": {}, "ai-worker": {"gpu": {}}}})
    snapshot, plan = ClusterSnapshot.model_validate(RECORDED), Plan(site="edge", site_sha256="d1")
    found = [
        Finding("driver", W1, Cause("headers", "no headers", "boot")),
        Finding("validator", W1, Cause("x", "it waits", "y")),
    ]
    judged = {
        bool(gpu): next(
            check
            for check in make_report(described, "d1", plan, snapshot, runtime_version="v2.3.4", gpu=gpu).checks
            if check.id == "gpu-stack"
        )
        for gpu in ((), found)
    }
    assert judged[False].status == "pass"
    assert (judged[True].status, judged[True].remedy) == ("fail", "boot")
    assert judged[True].evidence == f"driver on {W1}: no headers; validator on {W1}: it waits"
    assert "gpu-stack" not in {check.id for check in promising().report().checks}  # no GPU, no promise


def test_metrics_that_do_not_answer_are_told_with_the_reason() -> None:
    world = promising()
    world.cluster["metrics"] = {"problem": "the server is currently unable to handle the request"}
    (check,) = world.report().failed
    assert (check.id, check.concern) == ("metrics-answer", "metrics")
    assert "metrics.k8s.io does not answer: the server is currently unable" in check.evidence
    assert "metrics-answer" not in {check.id for check in World().report().checks}  # not asked for, no promise


def test_a_look_that_failed_says_of_which_hosts_it_knows_nothing() -> None:
    failures = (HostFailure(W1, "Check hosts", "look", "no answer -> switch it on", unreachable=True),)
    result = RunResult("failed", 1.0, (), {}, {}, (), failures, {}, Path())
    names = [M1, W1]
    assert host_problems(result, names) == {W1: "check mode fails on it: no answer -> switch it on"}
    assert host_problems(result, names, of_all=True)[M1] == f"the look ended early, at {W1}: no answer -> switch it on"
    ended = RunResult("timeout", 1.0, (), {}, {}, (), (), {}, Path())
    assert host_problems(ended, names) == dict.fromkeys(names, "the look ended early, at timeout")


def test_what_is_planned_from_the_topology_is_promised() -> None:
    world = World()
    world.site["node_classes"]["ai-worker"] = {"cpus": {"profile": "pinned"}}
    settings = [f"kubelet-{name}" for name in ("cpu-manager-policy-options", "reserved-system-cpus", "kube-reserved")]
    silent = {check.id: check.evidence for check in world.report().checks if check.node == W1}
    assert "its host does not tell its topology" in silent["kubelet-cpu-manager-policy"]
    world.topologies = {name: topology("two-cpus") for name in (W1, W2)}
    assert {(W1, settings[0]), (W1, settings[1]), (W1, "node-cpu-allocatable")} <= world.failed()
    for name in (W1, W2):
        world.kubelet(name).update(
            {"cpuManagerPolicyOptions": {"strict-cpu-reservation": "true"}, "reservedSystemCPUs": "0"}
        )
        world.kubelet(name).pop("kubeReserved")
        world.node(name)["status"]["allocatable"]["cpu"] = "1"
    assert world.failed() == set()
    world.site["node_classes"]["ai-worker"] = {
        "cpus": {"profile": "pinned"},
        "kubelet": {"kube_reserved": {"cpu": "2"}},
    }
    said = {check.id: (check.evidence, check.remedy) for check in world.report().failed if check.node == W1}
    assert "none is left for pods" in said["kubelet-cpu-manager-policy"][0]
    assert "reserve at most 1" in said["kubelet-cpu-manager-policy"][1]
