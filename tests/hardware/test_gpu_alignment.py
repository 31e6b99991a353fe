"""CPUs, a virtual function and an emulated GPU of a pod come from one NUMA node, or the kubelet refuses the pod."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from pods import GPU, VF, Pod, allocation, create, predicted, ready, remove

from gedge_provision.models.cpusets import parse_cpuset

if TYPE_CHECKING:
    from conftest import EmulatedLab

pytestmark = [pytest.mark.hardware, pytest.mark.long]

NODE, CLASS = "gedgew01", "emulated-1"
NETWORK = {"name": "sriov-range"}
GPUS = [{"resource": GPU, "count": 2, "numa_nodes": [0, 1]}]  # one on each NUMA node


def with_gpus(site: dict[str, Any], policy: str) -> dict[str, Any]:
    """Return the site with emulated GPUs and a policy of the topology manager on the first emulated node."""
    changed = copy.deepcopy(site)
    changed["node_classes"][CLASS]["emulated_gpus"] = GPUS
    changed["node_classes"][CLASS]["kubelet"]["topology_manager_policy"] = policy
    return changed


@pytest.fixture(scope="module", autouse=True)
def _promised(lab: EmulatedLab) -> Iterator[None]:
    yield
    remove(lab)
    lab.write(lab.promised)
    lab.gedge("apply", "--kubelet-restart-ok", "--drain-ok")


@pytest.fixture(autouse=True)
def _nothing_left(lab: EmulatedLab) -> Iterator[None]:
    yield
    remove(lab)


def aligned(lab: EmulatedLab, pod: Pod) -> None:
    """Check that all of a pod is on one NUMA node: by the kubelet, the kernel, `gedge`, and in the container."""
    given = allocation(lab, pod.name)
    (numa,) = given.numa_of_cpus
    assert given.numa_of_devices == {numa}
    assert given.cpus == given.allowed
    assert set(given.devices) == {numa}
    assert f"emulated-gpu-{numa}" in given.devices[numa]
    (found,) = json.loads(lab.gedge("topology", "pods", NODE, "--output", "json").stdout)
    (shown,) = [one for one in found["containers"] if one["pod"] == pod.name]
    assert shown["numa_nodes"] == [numa]
    devices = {one["resource"]: (len(one["ids"]), one["numa_nodes"]) for one in shown["devices"]}
    assert devices == {VF: (pod.vfs, [numa]), GPU: (pod.gpus, [numa])}
    said = lab.kubectl(
        "exec", pod.name, "--", "sh", "-c", "echo $GEDGE_EMULATED_GPU; cat /proc/self/status; ls /dev/emulated-gpu-*"
    ).splitlines()
    assert said[0] == f"emulated-gpu-{numa}"
    (allowed,) = [line.split()[1] for line in said if line.startswith("Cpus_allowed_list")]
    assert parse_cpuset(allowed) == parse_cpuset(shown["cpus"])
    assert said[-1] == f"/dev/emulated-gpu-{numa}"


def test_single_numa_node_aligns_or_refuses_as_was_predicted(lab: EmulatedLab) -> None:
    lab.write(with_gpus(lab.promised, "single-numa-node"))
    lab.gedge("apply")
    pod = Pod("aligned", NODE, [NETWORK], cpus=2, vfs=1, gpus=1)
    assert predicted(lab, NODE, pod.manifest()) == ""
    create(lab, pod.manifest())
    ready(lab, pod.name)
    aligned(lab, pod)
    remove(lab)
    both = Pod("both-gpus", NODE, [NETWORK], cpus=2, vfs=1, gpus=2)
    said = predicted(lab, NODE, both.manifest())
    assert said.startswith("TopologyAffinityError: ")
    assert f"1 {GPU} of 2" in said
    create(lab, both.manifest())
    lab.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", f"pod/{both.name}", "--timeout=60s")
    assert lab.kubectl("get", "pod", both.name, "-o", "jsonpath={.status.reason}") == "TopologyAffinityError"


def test_best_effort_aligns_where_it_can_and_admits_the_rest(lab: EmulatedLab) -> None:
    lab.write(with_gpus(lab.promised, "best-effort"))
    lab.gedge("apply", "--kubelet-restart-ok", "--drain-ok")
    pod = Pod("aligned", NODE, [NETWORK], cpus=2, vfs=1, gpus=1)
    create(lab, pod.manifest())
    ready(lab, pod.name)
    aligned(lab, pod)
    remove(lab)
    both = Pod("both-gpus", NODE, [NETWORK], cpus=2, vfs=1, gpus=2)
    assert predicted(lab, NODE, both.manifest()) == ""
    create(lab, both.manifest())
    ready(lab, both.name)
    assert set(allocation(lab, both.name).devices) == {0, 1}
