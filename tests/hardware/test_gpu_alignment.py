"""CPUs, a virtual function and an emulated GPU of a pod come from one NUMA node, or the kubelet refuses the pod."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pods import GPU, TOOLS, VF, Pod, allocation, create, predicted, ready, remove

from gedge_provision.models.cpusets import parse_cpuset

if TYPE_CHECKING:
    from conftest import EmulatedLab

pytestmark = [pytest.mark.hardware, pytest.mark.long]

NODE, CLASS = "gedgew01", "emulated-1"
NETWORK = {"name": "sriov-range"}
GPUS = [{"resource": GPU, "count": 2, "numa_nodes": [0, 1]}]  # one on each NUMA node


SAMPLES = Path(__file__).parents[2] / "examples" / "services"
# What the samples name, and what this lab has in its place: images of registries that are not reached from here.
STAND_INS = {
    "129.254.202.122:5000/hw_app:v2.1": "k8s.gcr.io/echoserver:1.10",
    "cisdocker/iperf3:2020": TOOLS,
    "network: sriov-net1, address: 10.10.2.60/24": "network: sriov-static, address: 10.10.2.60/24",
}


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


def test_every_sample_deploys(lab: EmulatedLab, tmp_path: Path) -> None:
    """The sample with a GPU and a function as it is written; the others with images that this lab has."""
    (tmp_path / "template-hw-app.json").write_bytes((SAMPLES / "template-hw-app.json").read_bytes())
    qos = {}
    for sample in ("service-app2.yaml", "hw-app-1.yaml", "iperf-server-sriov.yaml"):
        text = (SAMPLES / sample).read_text(encoding="utf-8")
        for named, there in STAND_INS.items():
            text = text.replace(named, there)
        document = tmp_path / sample
        document.write_text(text, encoding="utf-8")
        applied = json.loads(lab.gedge("service", "apply", document, "--timeout", "240", "--output", "json").stdout)
        assert applied["state"] == "ready"
        qos[applied["name"]] = applied["qos"]
    assert qos == {"app2": ["Guaranteed"], "hw-app-1": ["Burstable"], "iperf-server": ["BestEffort"]}
    (pod,) = json.loads(lab.kubectl("get", "pods", "-l", "gedge.dev/service=app2", "-o", "json"))["items"]
    name = pod["metadata"]["name"]
    assert pod["spec"]["nodeName"] == NODE
    given = allocation(lab, name)
    (numa,) = given.numa_of_cpus
    assert (len(given.cpus), given.numa_of_devices) == (2, {numa})
    (pod,) = json.loads(lab.kubectl("get", "pods", "-l", "gedge.dev/service=iperf-server", "-o", "json"))["items"]
    assert "10.10.2.60" in pod["metadata"]["annotations"]["k8s.v1.cni.cncf.io/network-status"]
    for service in qos:
        lab.gedge("service", "delete", service)


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
