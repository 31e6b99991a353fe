"""What the kubelet of an emulated node refuses, and that it was said before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from lab_cluster import run_gedge
from pods import VF, Pod, allocation, create, predicted, ready, remove

from gedge_provision.models.cpusets import parse_cpuset

if TYPE_CHECKING:
    from conftest import EmulatedLab

pytestmark = pytest.mark.hardware

NODE = "gedgew01"
NETWORK = {"name": "sriov-range"}


@pytest.fixture(autouse=True)
def _nothing_left(lab: EmulatedLab) -> Iterator[None]:
    yield
    remove(lab)


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        (Pod("odd", NODE, [NETWORK], cpus=1, vfs=1), "SMTAlignmentError"),
        (Pod("five-functions", NODE, [NETWORK] * 5, cpus=2, vfs=5), "TopologyAffinityError"),
        (Pod("six-cpus", NODE, [NETWORK], cpus=6, vfs=1), "TopologyAffinityError"),
    ],
    ids=lambda given: given.name if isinstance(given, Pod) else given,
)
def test_the_kubelet_refuses_what_was_predicted(lab: EmulatedLab, pod: Pod, reason: str) -> None:
    said = predicted(lab, NODE, pod.manifest())
    assert said.startswith(f"{reason}: ")
    create(lab, pod.manifest())
    lab.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", f"pod/{pod.name}", "--timeout=60s")
    assert lab.kubectl("get", "pod", pod.name, "-o", "jsonpath={.status.reason}") == reason


@pytest.mark.long
def test_what_a_pod_owns_is_shown_with_its_numa_nodes(lab: EmulatedLab) -> None:
    owner, user = Pod("owner", NODE, [NETWORK] * 2, cpus=2, vfs=2), Pod("user", NODE, [NETWORK], vfs=1)
    create(lab, owner.manifest(), user.manifest())
    ready(lab, owner.name, user.name)
    given, used = allocation(lab, owner.name), allocation(lab, user.name)
    (found,) = json.loads(lab.gedge("topology", "pods", NODE, "--output", "json").stdout)
    assert (found["node"], found["problem"]) == (NODE, "")
    # Pods of the test before may have ended just now.
    assert [remark for remark in found["remarks"] if remark["kind"] != "gone"] == []
    assert found["policies"]["topology"] == "single-numa-node"
    assert found["policies"]["scope"] == "pod"
    assert found["reserved"] == "0-1"
    shown = {one["pod"]: one for one in found["containers"] if one["namespace"] == "default"}
    assert set(shown) == {owner.name, user.name}
    assert parse_cpuset(shown[owner.name]["cpus"]) == given.cpus == given.allowed
    assert used.allowed <= parse_cpuset(found["shared"])
    assert set(shown[owner.name]["numa_nodes"]) == given.numa_of_cpus
    assert shown[user.name]["cpus"] == ""
    for name, allocated in ((owner.name, given), (user.name, used)):
        devices = [one for one in shown[name]["devices"] if one["resource"] == VF]
        assert {tuple(one["numa_nodes"]): one["ids"] for one in devices} == {
            (node,): sorted(ids) for node, ids in allocated.devices.items()
        }
        assert {node for one in devices for node in one["numa_nodes"]} == allocated.numa_of_devices
    (row,) = [line.split() for line in lab.gedge("topology", "pods", NODE).stdout.splitlines() if "/owner " in line]
    (numa,) = given.numa_of_cpus
    assert row[:5] == [NODE, f"default/{owner.name}", "main", shown[owner.name]["cpus"], str(numa)]
    assert row[-2:] == ["on", str(numa)]


@pytest.mark.parametrize(("cpus", "vfs", "nodes"), [(2, 4, {0, 1}), (4, 4, {1})])
def test_the_kubelet_admits_what_was_predicted(lab: EmulatedLab, cpus: int, vfs: int, nodes: set[int]) -> None:
    pod = Pod("fits", NODE, [NETWORK] * vfs, cpus=cpus, vfs=vfs)
    assert predicted(lab, NODE, pod.manifest()) == ""
    create(lab, pod.manifest())
    ready(lab, pod.name)
    given = allocation(lab, pod.name)
    assert (len(given.cpus), sum(map(len, given.devices.values()))) == (cpus, vfs)
    assert given.numa_of_cpus == given.numa_of_devices
    assert len(given.numa_of_cpus) == 1
    assert given.numa_of_cpus <= nodes


@pytest.mark.parametrize(("cpus", "reason"), [(1, "SMTAlignmentError"), (6, "TopologyAffinityError")])
def test_a_service_that_no_kubelet_admits_is_refused_before_anything_is_created(
    lab: EmulatedLab, tmp_path: Path, cpus: int, reason: str
) -> None:
    acceleration = {"topologyAware": True, "communication": "SRIOV"}
    resources = {"requests": {"cpu": cpus, "memory": "32Mi"}, "acceleration": acceleration}
    service = {"name": "misfit", "containers": [{"image": "k8s.gcr.io/echoserver:1.10", "resources": resources}]}
    path = tmp_path / "service.yaml"
    path.write_text(yaml.safe_dump({"service": service}), encoding="utf-8")
    # By kubeconfig: with the site file, CPUs would be rounded up to whole cores.
    done = run_gedge("service", "apply", path, "--kubeconfig", lab.kubeconfig)
    assert done.returncode == 3, done.stdout + done.stderr
    assert reason in done.stderr
    assert NODE in done.stderr
    assert lab.kubectl("get", "deployment", "misfit", "--ignore-not-found") == ""
