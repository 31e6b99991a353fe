"""Kubelet policies change on a node that runs pods, and back; what goes wrong on the way leaves the node as it was."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from lab_cluster import LabCluster, lab_down, lab_up

from gedge_provision.models.cpusets import parse_cpuset

pytestmark = [pytest.mark.e2e, pytest.mark.own_lab]

NODE = "gedgew01"
AGREED = ("--drain-ok", "--kubelet-restart-ok")
CPU_STATE = "/var/lib/kubelet/cpu_manager_state"
PATCH = "/etc/kubernetes/patches/kubeletconfiguration0+merge.yaml"
CONFIG = "/var/lib/kubelet/config.yaml"

# None, static by an amount, static with whole cores, another reservation, NUMA alignment with reserved memory.
STATES: dict[str, dict[str, Any]] = {
    "none": {},
    "static": {"kubelet": {"cpu_manager_policy": "static", "kube_reserved": {"cpu": "500m"}}},
    "pinned": {"cpus": {"profile": "pinned"}},
    "other CPU reserved": {"cpus": {"profile": "pinned"}, "kubelet": {"reserved_system_cpus": "1"}},
    "pinned-numa": {"cpus": {"profile": "pinned-numa"}},
}

PODS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: owner, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: owner}}
  template:
    metadata: {labels: {app: owner}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: IMAGE
          args: [pause]
          resources: {requests: {cpu: "1", memory: 64Mi}, limits: {cpu: "1", memory: 64Mi}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: sharer, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: sharer}}
  template:
    metadata: {labels: {app: sharer}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: IMAGE, args: [pause]}]
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[LabCluster]:
    name = f"k{os.getpid()}"
    try:
        cluster = lab_up(name, "--workers", 1)
        ask(cluster, "none")
        cluster.apply()
        image = cluster.hosts[NODE].run("crictl images -o json | grep -o '[^\"]*agnhost:[^\"]*' | head -1").strip()
        cluster.kubectl("apply", "-f", "-", stdin=PODS.replace("IMAGE", image))
        ready(cluster)
        yield cluster
    finally:
        lab_down(name)


def ask(lab: LabCluster, state: str, **more: Any) -> None:
    """Let the site file ask for a state of the worker."""
    site = yaml.safe_load(lab.site_path.read_text(encoding="utf-8"))
    site["node_classes"] = {"manager": {}, "worker": {**STATES[state], **more}}
    for node in site["nodes"]:
        node["node_class"] = "worker" if node["name"] == NODE else "manager"
    lab.site_path.write_text(yaml.safe_dump(site, sort_keys=False), encoding="utf-8")


def ready(lab: LabCluster) -> None:
    lab.kubectl("wait", "--for=condition=Available", "deployment", "--all", "--timeout=90s")


def running(lab: LabCluster) -> dict[str, Any]:
    """Return what the worker's kubelet runs with."""
    found: dict[str, Any] = json.loads(lab.kubectl("get", "--raw", f"/api/v1/nodes/{NODE}/proxy/configz"))
    return found["kubeletconfig"]


def restarts(lab: LabCluster) -> int:
    """Return how often systemd had to start the kubelet again."""
    return int(lab.hosts[NODE].run("systemctl show --property=NRestarts --value kubelet"))


def owned(lab: LabCluster) -> dict[str, Any]:
    """Return which CPUs pods own, by the state of the CPU manager."""
    state: dict[str, Any] = json.loads(lab.hosts[NODE].run(f"cat {CPU_STATE}"))
    return state


def serving(lab: LabCluster, before: dict[str, Any]) -> None:
    """Check that the node runs as it did, takes pods, and that all pods are there."""
    node = json.loads(lab.kubectl("get", "node", NODE, "-o", "json"))
    assert not node["spec"].get("unschedulable")
    assert running(lab) == before
    ready(lab)


@pytest.mark.long
def test_twenty_changes_in_a_row_and_no_kubelet_that_does_not_start(lab: LabCluster) -> None:
    order = ["static", "pinned", "other CPU reserved", "pinned-numa", "none"]
    for count, state in enumerate(order * 4):
        ask(lab, state)
        lab.gedge("apply", *AGREED)
        changed(lab, state)
        assert restarts(lab) == 0, f"change {count}, to {state}"


@pytest.mark.parametrize("state", ["static", pytest.param("pinned-numa", marks=pytest.mark.long), "none"])
def test_a_policy_changes_under_pods(lab: LabCluster, state: str) -> None:
    ask(lab, state)
    refused = lab.gedge("apply", code=1)
    assert all(option in refused.stderr for option in AGREED)
    lab.gedge("apply", *AGREED)
    changed(lab, state)
    assert restarts(lab) == 0
    assert lab.plan()["hosts"] == []


def changed(lab: LabCluster, state: str) -> None:
    """Check the running kubelet, what it offers, and that the pod has a CPU of its own where it shall."""
    found = running(lab)
    static = state != "none"
    assert found["cpuManagerPolicy"] == ("static" if static else "none")
    assert found["memoryManagerPolicy"] == ("Static" if state == "pinned-numa" else "None")
    ready(lab)
    allocatable = lab.kubectl("get", "node", NODE, "-o", "jsonpath={.status.allocatable.cpu}")
    capacity = int(lab.kubectl("get", "node", NODE, "-o", "jsonpath={.status.capacity.cpu}"))
    listed = found.get("reservedSystemCPUs")
    reserved = 1000 * len(parse_cpuset(listed)) if listed else {"none": 0, "static": 500}[state]
    assert allocatable in {f"{capacity * 1000 - reserved}m", str(capacity - reserved // 1000)}
    if static:
        entries = {name for pod in owned(lab)["entries"].values() for name in pod}
        assert entries == {"main"}


def test_a_setting_that_pods_do_not_notice_restarts_the_kubelet_only(lab: LabCluster) -> None:
    ask(lab, "pinned")
    lab.gedge("apply", *AGREED)
    ready(lab)
    wait_for(lambda: owned(lab)["entries"], 60)
    before, pods = owned(lab), uids(lab)
    ask(lab, "pinned", kubelet={"max_pods": 120})
    plan = lab.plan()
    words = [f"{change['action']} {change['kind']} {change['name']}" for change in plan["hosts"][0]["changes"]]
    assert words[1:] == ["change setting maxPods from 110 to 120 (restart)", "restart unit kubelet.service"]
    assert [(asked["flag"], asked["pods"]) for asked in plan["consents"]] == [("kubelet-restart-ok", [])]
    assert lab.plan("--offline")["hosts"] == plan["hosts"]
    lab.gedge("apply", "--kubelet-restart-ok")
    assert running(lab)["maxPods"] == 120
    assert (owned(lab), uids(lab)) == (before, pods)
    # Killed half-way, it is still no more than that.
    ask(lab, "pinned", kubelet={"max_pods": 130})
    killed = lab.start_apply("--kubelet-restart-ok")
    wait_for(lambda: not lab.hosts[NODE].run(f"ls {PATCH} 2>/dev/null || true"), 120)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(timeout=60)
    lab.gedge("resume")
    assert running(lab)["maxPods"] == 130
    assert (owned(lab), uids(lab)) == (before, pods)


def uids(lab: LabCluster) -> dict[str, int]:
    """Return which pods there are, and how often their containers have been started."""
    pods = json.loads(lab.kubectl("get", "pods", "-o", "json"))["items"]
    return {pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods}


def before_as_asked(found: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a running kubelet that a site file asked for."""
    names = ("cpuManagerPolicy", "cpuManagerPolicyOptions", "reservedSystemCPUs", "topologyManagerPolicy", "maxPods")
    return {name: found[name] for name in names}


def test_settings_that_the_kubelet_refuses_are_taken_back(lab: LabCluster) -> None:
    ask(lab, "pinned")
    lab.gedge("apply", *AGREED)
    before = running(lab)
    consents = {"kubelet_restart_ok": True, "kubelet_drain_ok": True}
    known = {"topologyManagerPolicyOptions": {"max-allowable-numa-nodes": "3"}}
    # What nobody foresees: the rules are about CPUs, memory and reservations.
    unknown = {"imageGCHighThresholdPercent": 40, "imageGCLowThresholdPercent": 60}
    asked = {"kubelet_config": {**before_as_asked(before), **known}}
    refused = lab.playbook("site", "-e", json.dumps({**asked, **consents}), code=2)
    assert "the kubelet takes numbers from 8 only" in refused
    serving(lab, before)
    asked = {"kubelet_config": {**before_as_asked(before), **unknown}}
    failed = lab.playbook("site", "-e", json.dumps({**asked, **consents}), code=2)
    assert "must be less than imageGCHighThresholdPercent" in failed
    assert "the former settings are back, and it runs with them" in failed
    serving(lab, before)


@pytest.mark.long
def test_a_kubelet_that_does_not_start_is_replaced_by_the_former_one(lab: LabCluster) -> None:
    """Somebody's drop-in lets it start once more with the former policy only."""
    ask(lab, "pinned")
    lab.gedge("apply", *AGREED)
    before = running(lab)
    host = lab.hosts[NODE]
    folder = "/etc/systemd/system/kubelet.service.d"
    guard = f'[Service]\\nExecStartPre=/bin/sh -c "! grep -q single-numa-node {CONFIG}"\\n'
    host.run(f"mkdir -p {folder} && printf '{guard}' > {folder}/10-own.conf && systemctl daemon-reload")
    try:
        ask(lab, "pinned-numa")
        failed = lab.gedge("apply", *AGREED, code=1)
        assert "kubelet.service does not run with the new settings" in failed.stderr
        assert "the former settings are back" in failed.stderr
        serving(lab, before)
    finally:
        host.run(f"rm -r {folder} && systemctl daemon-reload")
    lab.gedge("apply", *AGREED)
    changed(lab, "pinned-numa")


@pytest.mark.long
def test_a_state_that_cannot_be_read_does_not_keep_a_change_back(lab: LabCluster) -> None:
    ask(lab, "static")
    lab.gedge("apply", *AGREED)
    lab.hosts[NODE].run(f"echo broken > {CPU_STATE}")
    ask(lab, "pinned")
    lab.gedge("apply", *AGREED)
    changed(lab, "pinned")


def test_a_control_plane_that_goes_away_during_the_drain_is_gone_on_with(lab: LabCluster) -> None:
    ask(lab, "other CPU reserved")
    manager = lab.hosts["gedgem01"]
    away = "mv /etc/kubernetes/manifests/kube-apiserver.yaml /root/; "
    away += "crictl ps -q --name kube-apiserver | xargs crictl stop"
    running_apply = lab.start_apply(*AGREED)
    wait_for(lambda: cordoned(lab), 120)
    manager.run(away)
    try:
        assert running_apply.wait(timeout=600) != 0
    finally:
        manager.run("mv /root/kube-apiserver.yaml /etc/kubernetes/manifests/")
    wait_for(
        lambda: "ok" in manager.run("kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw /readyz || true"), 180
    )
    lab.gedge("resume")
    changed(lab, "other CPU reserved")
    assert not cordoned(lab)


def test_a_run_that_is_killed_in_the_middle_is_gone_on_with(lab: LabCluster) -> None:
    ask(lab, "pinned-numa")
    running_apply = lab.start_apply(*AGREED)
    host = lab.hosts[NODE]
    wait_for(lambda: not host.run(f"ls {PATCH} 2>/dev/null || true"), 180)
    os.kill(running_apply.pid, signal.SIGKILL)
    running_apply.wait(timeout=60)
    lab.gedge("resume")
    changed(lab, "pinned-numa")
    assert not cordoned(lab)


def test_the_kubelet_alone_does_not_survive_the_same_change(lab: LabCluster) -> None:
    """What all of this is for: its configuration changed and its state left in place, it starts again and again."""
    ask(lab, "static")
    lab.gedge("apply", *AGREED)
    host = lab.hosts[NODE]
    wait_for(lambda: owned(lab)["entries"], 60)
    host.run(
        f"cp {CONFIG} /root/config.yaml && sed -i 's/^cpuManagerPolicy: static/cpuManagerPolicy: none/' {CONFIG} && "
        "systemctl restart kubelet"
    )
    try:
        wait_for(lambda: restarts(lab) >= 2, 60)
        journal = host.run("journalctl -u kubelet -n 60 -o cat")
        assert 'configured policy \\"none\\" differs from state checkpoint policy \\"static\\"' in journal
    finally:
        host.run(f"mv /root/config.yaml {CONFIG}; systemctl reset-failed kubelet; systemctl restart kubelet")
    ready(lab)


def test_a_kubelet_whose_cpus_are_all_owned_starts_again(lab: LabCluster) -> None:
    """With strict-cpu-reservation it refuses its own state then, of which nobody but we would tell."""
    ask(lab, "pinned")
    lab.gedge("apply", *AGREED)
    host = lab.hosts[NODE]
    capacity = int(lab.kubectl("get", "node", NODE, "-o", "jsonpath={.status.allocatable.cpu}"))
    lab.kubectl("set", "resources", "deployment/owner", f"--requests=cpu={capacity}", f"--limits=cpu={capacity}")
    wait_for(lambda: owned(lab)["defaultCpuSet"] == "", 90)
    said = lab.gedge("topology", "pods", NODE, code=3).stdout
    assert "containers without own CPUs run on owned and reserved ones alike" in said
    host.run("systemctl restart kubelet")
    time.sleep(5)
    assert restarts(lab) == 0
    ready(lab)
    wait_for(lambda: owned(lab)["entries"], 60)


def cordoned(lab: LabCluster) -> bool:
    return lab.kubectl("get", "node", NODE, "-o", "jsonpath={.spec.unschedulable}", check=False) == "true"


def wait_for(condition: Any, limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.2)
