"""Pods of the hardware tier: what they ask for, and what they were given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gedge_provision.models.cluster import NodeState
from gedge_provision.models.pod_specs import RunningPod
from gedge_provision.planning.fit import Room, kubelet_of, refusal

if TYPE_CHECKING:
    from conftest import EmulatedLab

TOOLS = "ghcr.io/gedge-provision/network-tools:v0.1.0"
SOFT_RDMA = "rdma/soft_rdma"
GPU = "nvidia.com/gpu"  # an emulated one
VF = "intel.com/intel_sriov_netdevice"
NETWORKS = "k8s.v1.cni.cncf.io/networks"
STATUS = "k8s.v1.cni.cncf.io/network-status"
CRICTL = "crictl --timeout 60s"  # an emulated node takes its time
CHECKPOINT = "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint"


@dataclass(frozen=True)
class Pod:
    """A pod of one container, Guaranteed and with CPUs of its own when it asks for whole CPUs."""

    name: str
    node: str
    networks: Sequence[Mapping[str, object]] = ()
    cpus: int = 0
    vfs: int = 0
    gpus: int = 0
    rdma: bool = False
    command: Sequence[str] = ("sleep", "infinity")
    labels: Mapping[str, str] = field(default_factory=dict)

    def template(self) -> dict[str, Any]:
        """Return its metadata and spec."""
        amounts = {"memory": "64Mi"}
        if self.cpus:
            amounts["cpu"] = str(self.cpus)
        if self.vfs:
            amounts[VF] = str(self.vfs)
        if self.gpus:
            amounts[GPU] = str(self.gpus)
        if self.rdma:
            amounts[SOFT_RDMA] = "1"
        container = {
            "name": "main",
            "image": TOOLS,
            "command": list(self.command),
            "resources": {"requests": amounts, "limits": amounts},
        }
        return {
            "metadata": {
                "labels": {"tier": "hardware", "app": self.name, **self.labels},
                "annotations": {NETWORKS: json.dumps(list(self.networks))} if self.networks else {},
            },
            "spec": {"nodeName": self.node, "terminationGracePeriodSeconds": 1, "containers": [container]},
        }

    def manifest(self) -> dict[str, Any]:
        """Return the pod."""
        template = self.template()
        template["metadata"]["name"] = self.name
        return {"apiVersion": "v1", "kind": "Pod", **template}

    def deployment(self) -> dict[str, Any]:
        """Return a Deployment that keeps one such pod on its node, by the node's name as a label."""
        template = self.template()
        template["spec"]["nodeSelector"] = {"kubernetes.io/hostname": template["spec"].pop("nodeName")}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": self.name, "labels": {"tier": "hardware"}},
            "spec": {
                "selector": {"matchLabels": {"app": self.name}},
                "strategy": {"type": "Recreate"},
                "template": template,
            },
        }


def room(lab: EmulatedLab, node: str) -> Room:
    """Return a node with its pods and its kubelet, as the cluster shows them."""
    found = NodeState.model_validate(json.loads(lab.kubectl("get", "node", node, "-o", "json")))
    listed = lab.kubectl("get", "pods", "-A", "--field-selector", f"spec.nodeName={node}", "-o", "json")
    pods = [RunningPod.model_validate(item) for item in json.loads(listed)["items"]]
    there = [pod for pod in pods if not pod.ended]
    return Room.of(found, there, kubelet_of(found, there))


def predicted(lab: EmulatedLab, node: str, pod: Mapping[str, Any]) -> str:
    """Return what the kubelet is said to refuse of a pod that no scheduler has looked at; empty where it admits it."""
    kubelet = room(lab, node).kubelet
    assert kubelet
    verdict = kubelet.admit(RunningPod.model_validate(pod), "new")
    return refusal(kubelet.machine, verdict).text if verdict.reason else ""


def create(lab: EmulatedLab, *manifests: Mapping[str, Any]) -> None:
    """Create objects."""
    lab.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}))


def ready(lab: EmulatedLab, *names: str) -> None:
    """Wait until pods are ready."""
    pods = [f"pod/{name}" for name in names]
    shown = lab.kubectl("wait", "--for=condition=Ready", *pods, "--timeout=150s", check=False, timeout=200)
    if shown.count("condition met") != len(names):
        raise AssertionError(shown + lab.kubectl("describe", *pods, check=False))


def remove(lab: EmulatedLab, *kinds: str) -> None:
    """Remove everything that tests of this tier created, pods or Deployments, and wait until it is gone."""
    for kind in kinds or ("pods",):
        lab.kubectl("delete", kind, "-l", "tier=hardware", "--wait=true", "--timeout=120s", timeout=150)
    lab.kubectl("wait", "--for=delete", "pod", "-l", "tier=hardware", "--timeout=120s", check=False, timeout=150)


def status(lab: EmulatedLab, name: str) -> dict[str, dict[str, Any]]:
    """Return `network-status` of a pod, by network (without the namespace)."""
    pod = json.loads(lab.kubectl("get", "pod", name, "-o", "json"))
    return {one["name"].rpartition("/")[2]: one for one in json.loads(pod["metadata"].get("annotations", {})[STATUS])}


@dataclass(frozen=True)
class Allocation:
    """What the kubelet gave to a container, and what the kernel says of it."""

    cpus: set[int]
    """From the kubelet's CPU manager."""

    allowed: set[int]
    """CPUs that the container's process may use, as the kernel says."""

    devices: dict[int, list[str]]
    """Devices by NUMA node, from the kubelet's device manager: PCI addresses of functions, names of emulated GPUs."""

    numa_of_cpus: set[int]
    """NUMA nodes of those CPUs, as the host's sysfs says."""

    numa_of_devices: set[int]
    """NUMA nodes of those devices that have a PCI address, as the host's sysfs says."""


def allocation(lab: EmulatedLab, name: str) -> Allocation:
    """Return what a pod's container was given: by the kubelet's own records, checked against the kernel's."""
    pod = json.loads(lab.kubectl("get", "pod", name, "-o", "json"))
    host, uid = lab.hosts[pod["spec"]["nodeName"]], pod["metadata"]["uid"]
    said = host.run(
        "set -e\ncat /var/lib/kubelet/cpu_manager_state; echo\n"
        f"cat {CHECKPOINT}; echo\n"
        f"id=$({CRICTL} ps --quiet --label io.kubernetes.pod.uid={uid})\n"
        f"pid=$({CRICTL} inspect --output go-template --template '{{{{.info.pid}}}}' $id)\n"
        "awk '/^Cpus_allowed_list/ {print $2}' /proc/$pid/status\n"
        "for node in /sys/devices/system/node/node[0-9]*; do cat $node/cpulist; done"
    ).splitlines()
    (container,) = json.loads(said[0]).get("entries", {}).get(uid, {"main": ""}).values()
    cpus, allowed = _cpus(container), _cpus(said[2])
    nodes = dict(enumerate(map(_cpus, said[3:])))
    entries = json.loads(said[1])["Data"]["PodDeviceEntries"] or []
    devices: dict[int, list[str]] = {}
    for entry in entries:
        if entry["PodUID"] == uid:
            for node, ids in entry["DeviceIDs"].items():
                devices.setdefault(int(node), []).extend(ids)
    addresses = [name for ids in devices.values() for name in ids if not name.startswith("emulated-")]
    numa = host.run("\n".join(f"cat /sys/bus/pci/devices/{one}/numa_node" for one in addresses)) if addresses else ""
    return Allocation(
        cpus,
        allowed,
        devices,
        {node for node, members in nodes.items() if members & cpus},
        {int(line) for line in numa.split()},
    )


def _cpus(text: str) -> set[int]:
    cpus: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cpus |= set(range(int(first), int(last or first) + 1))
    return cpus
