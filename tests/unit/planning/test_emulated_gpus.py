"""Emulated GPUs in a site: what is compiled, planned and promised, and what is refused."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pod_looks import container, device, looked

from gedge_provision.adapters.locations import content_dir
from gedge_provision.models.changes import Change
from gedge_provision.models.selection import Selection
from gedge_provision.models.site import NodeClass, Site
from gedge_provision.models.site_records import HostRecord, SiteRecord
from gedge_provision.models.snapshot import ClusterSnapshot
from gedge_provision.models.verification import Report
from gedge_provision.planning.emulated_gpus import EMULATED_GPUS_LABEL, emulated_by_numa_node, emulated_resources
from gedge_provision.planning.features import daemon_sets, site_features
from gedge_provision.planning.inventory import Inventory, compile_inventory, node_labels
from gedge_provision.planning.offline import recorded_changes
from gedge_provision.planning.offline_emulated_gpus import emulated_gpu_objects
from gedge_provision.planning.plans import make_plan
from gedge_provision.planning.verification import NODE_PROMISES, make_report

TESTS = Path(__file__).parents[2]
RECORDED = json.loads((TESTS / "fixtures/verification/snapshot.json").read_text(encoding="utf-8"))
M1, W1, W2 = "gedgem01", "gedgew01", "gedgew02"
GPU, MIG = "nvidia.com/gpu", "nvidia.com/mig-1g.5gb"
SOME = ({"count": 3, "numa_nodes": [0, 1]}, {"resource": MIG, "slices": 7, "numa_nodes": [1], "cdi": True})


def site(*gpus: dict[str, Any]) -> Site:
    classes = {"manager": {}, "ai-worker": {"emulated_gpus": list(gpus)}, "unused": {"emulated_gpus": [{}]}}
    return Site.model_validate(
        {
            "name": "edge",
            "node_classes": classes,
            "nodes": [
                {"name": M1, "address": "192.0.2.11", "roles": ["control_plane"], "node_class": "manager"},
                {"name": W1, "address": "192.0.2.21", "node_class": "ai-worker"},
                {"name": W2, "address": "192.0.2.22", "node_class": "manager"},
            ],
        }
    )


def compiled(described: Site, **images: str) -> Inventory:
    return compile_inventory(described, {"control_plane": [], "worker": []}, "/k", images=images)


def test_only_nodes_of_the_class_get_them() -> None:
    described = site(*SOME)
    variables = compiled(described).variables
    assert variables["emulated_gpu_classes"] == [
        {
            "name": "ai-worker",
            "resources": [
                {"resource": GPU, "count": 3, "slices": 1, "numa_nodes": [0, 1], "cdi": False},
                {"resource": MIG, "count": 1, "slices": 7, "numa_nodes": [1], "cdi": True},
            ],
        }
    ]
    awaited = {node["name"]: node["resources"] for node in variables["cluster_verify_nodes"]}
    assert awaited == {M1: {}, W1: {GPU: 3, MIG: 7}, W2: {}}
    assert variables["gedge_emulated_gpus"] == {W1: {"0": {GPU: 2}, "1": {GPU: 1, MIG: 7}}}
    labelled = [node.name for node in described.nodes if EMULATED_GPUS_LABEL in node_labels(described, node)]
    assert labelled == [W1]
    assert variables["gedge_features"] == ["emulated_gpus"]
    assert daemon_sets(described) == ["kube-system/emulated-gpu-ai-worker"]


def test_a_site_without_them_is_as_it_was() -> None:
    described = site()
    assert site_features(described) == frozenset()
    variables = compiled(described).variables
    assert variables["emulated_gpu_classes"] == []
    assert variables["gedge_emulated_gpus"] == {}


def _program() -> Any:
    """Return the part of the program that makes devices of what it is told."""
    folders = [content_dir() / "programs" / name for name in ("device-plugin", "emulated-gpu-device-plugin")]
    before = list(sys.path)
    sys.path[:0] = [str(folder) for folder in folders]
    try:
        spec = importlib.util.spec_from_file_location("emulated_gpus_of_the_program", folders[1] / "gpus.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # its dataclasses look themselves up there
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = before
        sys.modules.pop("options", None)
    return module


@pytest.mark.parametrize(
    "gpus",
    [SOME, ({"count": 5, "numa_nodes": [1, 0, 1]},), ({"count": 2, "slices": 4}, {"resource": "a.io/b", "count": 16})],
)
def test_what_is_promised_is_what_the_program_makes(gpus: tuple[dict[str, Any], ...]) -> None:
    node_class = NodeClass.model_validate({"emulated_gpus": gpus})
    given = json.dumps([one.model_dump(mode="json") for one in node_class.emulated_gpus])
    made = _program().emulated_resources(given)
    assert {one.resource: len(one.devices) for one in made} == emulated_resources(node_class)
    assert len({part.id for one in made for part in one.devices}) == sum(len(one.devices) for one in made)
    places: dict[str, Counter[str]] = {}
    for one in made:
        for part in one.devices:
            if part.numa_node is not None:
                places.setdefault(str(part.numa_node), Counter())[one.resource] += 1
    assert places == emulated_by_numa_node(node_class)


def planned(before: Site, now: Site, *concerns: str, **images: str) -> dict[str, list[str]]:
    record = SiteRecord(
        hosts={
            name: HostRecord(
                connection={}, control_plane=name == M1, node_class="any", made=(Change("node", name, "join"),)
            )
            for name in (M1, W1, W2)
        },
        site=before,
    )
    changes = recorded_changes(record, now, compiled(before), compiled(now, **images), Selection(concerns=concerns))
    return {host: [f"{one.action} {one.kind} {one.name}" for one in found] for host, found in changes.items()}


NOTE = f"change annotation {W1} gedge.dev/alignment"
DAEMON, ACCOUNT = "DaemonSet kube-system/emulated-gpu-ai-worker", "ServiceAccount kube-system/emulated-gpu"


@pytest.mark.parametrize(
    ("action", "label"), [("create", f"{EMULATED_GPUS_LABEL}=true"), ("remove", EMULATED_GPUS_LABEL)]
)
def test_an_offline_plan_tells_what_comes_and_goes(action: str, label: str) -> None:
    sites = [site(), site(*SOME)]
    found = planned(*(sites if action == "create" else sites[::-1]))
    assert found == {M1: [f"{action} {ACCOUNT}", f"{action} {DAEMON}", f"{action} label {W1} {label}", NOTE]}


def test_an_offline_plan_tells_other_devices_and_another_image() -> None:
    assert planned(site(*SOME), site(SOME[0])) == {M1: [f"change {DAEMON}", NOTE]}
    assert planned(site(*SOME), site(*SOME), **{"emulated-gpu-device-plugin": "r:2"}) == {M1: [f"change {DAEMON}"]}
    assert planned(site(*SOME), site(SOME[0]), "attachments") == {}
    assert planned(site(*SOME), site(*SOME)) == {}


def test_the_objects_are_those_of_the_role() -> None:
    text = (content_dir() / "roles/emulated_gpu/templates/plugin.yml.j2").read_text(encoding="utf-8")
    found = re.findall(r"^kind: (\w+)\nmetadata:\n  name: (.+)\n  namespace: (.+)$", text, re.MULTILINE)
    assert [f"{kind} {space}/{name}" for kind, name, space in found] == emulated_gpu_objects(["{{ class.name }}"])


class World:
    """A cluster that keeps what a site with emulated GPUs promises."""

    def __init__(self) -> None:
        self.cluster = deepcopy(RECORDED)
        self.node = next(one for one in self.cluster["nodes"] if one["metadata"]["name"] == W1)
        self.node["metadata"]["labels"][EMULATED_GPUS_LABEL] = "true"
        for part in ("capacity", "allocatable"):
            self.node["status"][part] |= {GPU: "3", MIG: "7"}
        self.pod = {
            "metadata": {"name": "emulated-gpu-x", "namespace": "kube-system", "labels": {"app": "emulated-gpu"}},
            "spec": {"nodeName": W1},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        }
        self.cluster["pods"].append(self.pod)

    def report(self) -> Report:
        described = site(*SOME)
        snapshot = ClusterSnapshot.model_validate(self.cluster)
        return make_report(described, "d1", make_plan(described, "d1", {}), snapshot, runtime_version="v2.3.4")

    def checks(self) -> dict[tuple[str, str], tuple[str, str, str]]:
        return {
            (one.node, one.id): (one.status, one.evidence, one.remedy)
            for one in self.report().checks
            if one.concern == "emulated gpus"
        }


NAMES = ("gpus-emulated", "gpus-emulated-marked", "gpus-emulated-plugin")


def test_promises_are_of_nodes_with_emulated_gpus_and_say_that_they_are_emulated() -> None:
    found = World().checks()
    assert {promise.id for promise in NODE_PROMISES if promise.concern == "emulated gpus"} == set(NAMES)
    assert sorted(found) == [(W1, name) for name in NAMES]
    assert {status for status, _, _ in found.values()} == {"pass"}
    assert found[W1, "gpus-emulated"][1] == (f"3 emulated {GPU}, 7 emulated {MIG}; nothing is behind them")


def test_devices_that_were_made_unhealthy_are_told_with_the_file() -> None:
    world = World()
    world.node["status"]["allocatable"][GPU] = "2"
    status, evidence, remedy = world.checks()[W1, "gpus-emulated"]
    assert (status, evidence) == ("fail", f"it offers 2 of 3 emulated {GPU}")
    assert remedy == f"{GPU}: say Healthy of all in /run/gedge-emulated/gpus/health.json on the node"


def test_a_plugin_that_refused_is_told_with_its_last_words() -> None:
    world = World()
    words = "ERROR emulated GPUs: this node has a real device of nvidia.com (0000:41:00.0)"
    ended = {"exitCode": 1, "message": words}
    world.pod["status"] = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [
            {"name": "emulated-gpu-device-plugin", "ready": False, "lastState": {"terminated": ended}}
        ],
    }
    for part in ("capacity", "allocatable"):
        del world.node["status"][part][GPU]
    found = world.checks()
    status, evidence, _ = found[W1, "gpus-emulated-plugin"]
    assert status == "fail"
    assert f"it ended with 1: {words}" in evidence
    status, evidence, remedy = found[W1, "gpus-emulated"]
    assert (status, evidence) == ("fail", f"it offers 0 of 3 emulated {GPU}")
    assert "logs -l app=emulated-gpu" in remedy


def test_a_node_without_the_mark_is_told() -> None:
    world = World()
    del world.node["metadata"]["labels"][EMULATED_GPUS_LABEL]
    assert world.checks()[W1, "gpus-emulated-marked"][:2] == ("fail", f"label {EMULATED_GPUS_LABEL} is missing")


def test_the_daemon_set_makes_nothing_but_device_nodes() -> None:
    """What the plugin may do on a node, as its manifest has it."""
    text = (content_dir() / "roles/emulated_gpu/templates/plugin.yml.j2").read_text(encoding="utf-8")
    (context,) = re.findall(r"securityContext:\n((?: {12}.+\n)+)", text)
    assert yaml.safe_load(context) == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["MKNOD"]},
    }


def test_what_pods_own_of_them_is_shown_with_its_numa_node() -> None:
    gpu = device(1, resource=GPU, ids=["emulated-gpu-1"])
    found = looked(
        ("default/aligned", [container(cpus="6,7", devices=[gpu])]),
        ("default/apart", [container(cpus="2,3", devices=[device(1, resource=GPU, ids=["emulated-gpu-3"])])]),
        kubelet={"topologyManagerPolicy": "single-numa-node"},
    )
    held = {one.pod: [(one.resource, one.ids, one.numa_nodes) for one in one.devices] for one in found.containers}
    assert held["default/aligned"] == [(GPU, ("emulated-gpu-1",), (1,))]
    (remark,) = [one for one in found.remarks if one.severity == "error"]
    assert "default/apart" in remark.pod
    assert f"it has {GPU} (emulated-gpu-3) on NUMA node 1" in remark.message
