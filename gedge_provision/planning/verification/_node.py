"""Promises of each node, judged by its Node object."""

from __future__ import annotations

from decimal import Decimal

from gedge_provision.models.cluster import Taint
from gedge_provision.models.cpusets import parse_cpuset
from gedge_provision.models.quantities import Quantity
from gedge_provision.planning.inventory import node_labels, node_taints
from gedge_provision.planning.verification._promise import NodeLook, Promise, Verdict, verdict

__all__ = ["NODE"]

_APPLY = "put it right: gedge apply"
_KUBELET = "look on the node: systemctl status kubelet, journalctl -u kubelet"
# Kubernetes sets and removes these itself
_OWN_TAINTS = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
_CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
_MIB = Decimal(2**20)
_GIB_KIB = 2**20
# The kubelet computes a threshold in percent in single precision: some bytes more or less.
_ROUNDING = _MIB


def _present(look: NodeLook) -> Verdict:
    found = look.snapshot.node(look.node.name) is not None
    return Verdict(found, "it is in the cluster" if found else "the cluster has no node of this name")


def _ready(look: NodeLook) -> Verdict:
    for condition in look.live.status.conditions:
        if condition.type == "Ready":
            return Verdict(condition.status == "True", condition.message or condition.reason)
    return Verdict(kept=False, evidence="its kubelet has not reported yet")


def _unpressed(look: NodeLook) -> Verdict:
    wrong = [
        f"{found.type}: {found.message or found.reason or found.status}"
        for found in look.live.status.conditions
        if found.type in _PRESSURES and found.status != "False"
    ]
    return verdict(wrong, "no pressure, the network is available")


def _schedulable(look: NodeLook) -> Verdict:
    cordoned = look.live.spec.unschedulable
    return Verdict(not cordoned, "the node is cordoned" if cordoned else "not cordoned")


def _address(look: NodeLook) -> Verdict:
    found = look.live.internal_ips
    return Verdict(found == (str(look.node.address),), f"InternalIP {', '.join(found) or 'missing'}")


def _role(look: NodeLook) -> Verdict:
    wanted = "control_plane" in look.node.roles
    found = _CONTROL_PLANE_LABEL in look.live.metadata.labels
    return Verdict(found == wanted, f"label {_CONTROL_PLANE_LABEL} is {'there' if found else 'not there'}")


def _labels(look: NodeLook) -> Verdict:
    wanted, found = node_labels(look.site, look.node), look.live.metadata.labels
    wrong = [
        f"{key} is {found.get(key, 'missing')}, promised is {value}"
        for key, value in sorted(wanted.items())
        if found.get(key) != value
    ]
    return verdict(wrong, _pairs(wanted))


def _taints(look: NodeLook) -> Verdict:
    wanted = _wanted_taints(look)
    found = {str(taint) for taint in look.live.spec.taints if not taint.key.startswith(_OWN_TAINTS)}
    wrong = [f"{taint} is missing" for taint in sorted(wanted - found)]
    wrong += [f"{taint} is not promised" for taint in sorted(found - wanted)]
    return verdict(wrong, ", ".join(sorted(found)) or "none")


def _wanted_taints(look: NodeLook) -> set[str]:
    return {str(Taint.model_validate(taint)) for taint in node_taints(look.site, look.node)}


def _version(look: NodeLook) -> Verdict:
    found = look.live.status.node_info.kubelet_version
    return Verdict(found == f"v{look.site.kubernetes.version}", f"the kubelet is {found or 'unknown'}")


def _runtime(look: NodeLook) -> Verdict:
    found = look.live.status.node_info.container_runtime_version
    return Verdict(found == _wanted_runtime(look), f"the runtime is {found or 'unknown'}")


def _wanted_runtime(look: NodeLook) -> str:
    return f"containerd://{look.runtime_version.removeprefix('v')}"


def _cpu(look: NodeLook) -> Verdict:
    capacity, allocatable = _amount(look, "cpu", "capacity"), _amount(look, "cpu", "allocatable")
    listed = look.promised_kubelet.get("reservedSystemCPUs")
    reserved = Decimal(len(parse_cpuset(listed))) if listed else _reserved(look, "cpu")
    said = f"{_milli(capacity)} - {_milli(reserved)} reserved"
    wanted = capacity - reserved
    return Verdict(wanted == allocatable, f"{said} = {_milli(wanted)}, allocatable is {_milli(allocatable)}")


def _memory(look: NodeLook) -> Verdict:
    capacity, allocatable = _amount(look, "memory", "capacity"), _amount(look, "memory", "allocatable")
    reserved = _reserved(look, "memory")
    eviction = _eviction(look, capacity)
    # The kubelet takes huge pages that were set aside at boot off what it offers (pkg/kubelet/nodestatus/setters.go).
    pages = sum(
        (Quantity(text).amount for name, text in look.live.status.capacity.items() if name.startswith("hugepages-")),
        Decimal(0),
    )
    wanted = capacity - reserved - eviction - pages
    said = f"{_mib(capacity)} - {_mib(reserved)} reserved - {_mib(eviction)} eviction"
    said += f" - {_mib(pages)} huge pages" if pages else ""
    kept = abs(wanted - allocatable) < _ROUNDING
    return Verdict(kept, f"{said} = {_mib(wanted)}, allocatable is {_mib(allocatable)}")


def _huge_pages(look: NodeLook) -> Verdict:
    found = {size: _amount(look, _resource(size), "capacity") / (size * 1024) for size in look.promised_pages}
    wrong = [
        f"{_resource(size)}: {found[size]:f} pages, promised are {count}"
        for size, count in look.promised_pages.items()
        if found[size] < count
    ]
    return verdict(wrong, ", ".join(f"{_resource(size)}: {count:f} pages" for size, count in found.items()))


def _resource(size_kib: int) -> str:
    """Return the name under which a kubelet offers huge pages of a size."""
    return f"hugepages-{size_kib // 1024}Mi" if size_kib < _GIB_KIB else f"hugepages-{size_kib // _GIB_KIB}Gi"


def _reserved(look: NodeLook, resource: str) -> Decimal:
    """Return the amount that is reserved, for Kubernetes and for the system."""
    parts = [look.promised_kubelet.get(name, {}) for name in ("kubeReserved", "systemReserved")]
    return sum((Quantity(part[resource]).amount for part in parts if resource in part), Decimal(0))


def _eviction(look: NodeLook, capacity: Decimal) -> Decimal:
    """Return the hard eviction threshold of memory that the kubelet runs with, an amount or a part of the memory."""
    text = str(look.kubelet.get("evictionHard", {}).get("memory.available", "0"))
    if text.endswith("%"):
        return (capacity * Decimal(text.removesuffix("%")) / 100).to_integral_value()
    return Quantity(text).amount


def _amount(look: NodeLook, resource: str, part: str) -> Decimal:
    found = look.live.status.capacity if part == "capacity" else look.live.status.allocatable
    return Quantity(found.get(resource, "0")).amount


def _milli(amount: Decimal) -> str:
    return f"{amount * 1000:.0f}m"


def _mib(amount: Decimal) -> str:
    return f"{amount / _MIB:.1f}Mi"


def _differences(look: NodeLook) -> Verdict:
    found = [difference.message for difference in look.plan.differences if difference.node == look.node.name]
    return verdict(found, "nothing that an apply would leave as it is")


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(values.items()))


NODE: tuple[Promise[NodeLook], ...] = (
    Promise(
        "node-present", "node", "The node is in the cluster.", _APPLY, "cluster",
        lambda look: f"{look.node.name} is in the cluster", _present,
    ),
    Promise(
        "node-ready", "node", "The node is ready.", _KUBELET, "node",
        lambda _: "the node is ready", _ready,
    ),
    Promise(
        "node-pressure", "node", "The node lacks neither memory, disk space, process ids nor network.",
        "free what it lacks: kubectl describe node", "node",
        lambda _: "no lack of memory, disk space, process ids or network", _unpressed,
    ),
    Promise(
        "node-schedulable", "node", "The node takes pods (it is not cordoned).", "kubectl uncordon it", "node",
        lambda _: "the node takes pods", _schedulable,
    ),
    Promise(
        "node-address", "node", "Its InternalIP is the address in the site file.",
        "reset the node and apply again", "node",
        lambda look: f"its address is {look.node.address}", _address,
    ),
    Promise(
        "node-role", "node", "It is marked as control plane if, and only if, it has that role.",
        "reset the node and apply again", "node",
        lambda look: f"its roles are {', '.join(look.node.roles)}", _role,
    ),
    Promise(
        "node-labels", "node", "It has the labels of its class and its own.", _APPLY, "node",
        lambda look: f"labels {_pairs(node_labels(look.site, look.node))}", _labels,
    ),
    Promise(
        "node-taints", "node",
        "It has the taints of its class and role, and no others; those that Kubernetes sets itself "
        f"({', '.join(_OWN_TAINTS)}) do not count.", _APPLY, "node",
        lambda look: f"taints {', '.join(sorted(_wanted_taints(look))) or 'none'}", _taints,
    ),
    Promise(
        "node-version", "node", "Its kubelet has the version of the site file.", _APPLY, "node",
        lambda look: f"kubelet v{look.site.kubernetes.version}", _version,
    ),
    Promise(
        "node-runtime", "node", "Its container runtime has the version of the catalog.", _APPLY, "node",
        lambda look: f"runtime {_wanted_runtime(look)}", _runtime,
    ),
    Promise(
        "node-cpu-allocatable", "node", "Pods may have its CPUs less those that its class reserves.",
        f"compare the kubelet's settings; {_APPLY} --kubelet-restart-ok", "kubelet",
        lambda _: "allocatable CPU = capacity - reserved", _cpu,
    ),
    Promise(
        "node-memory-allocatable", "node",
        "Pods may have its memory less what its class reserves, the kubelet's hard eviction threshold and huge pages.",
        f"compare the kubelet's settings; {_APPLY} --kubelet-restart-ok", "kubelet",
        lambda _: "allocatable memory = capacity - reserved - hard eviction threshold", _memory,
    ),
    Promise(
        "node-huge-pages", "node", "It offers pods the huge pages that its class sets aside.",
        f"{_APPLY} --kubelet-restart-ok", "kubelet",
        lambda look: ", ".join(f"{count} of {_resource(size)}" for size, count in look.promised_pages.items()),
        _huge_pages,
        lambda look: "" if look.promised_pages else "its class sets none aside, or the node is a container",
    ),
    Promise(
        "node-differences", "node",
        "Seen from the control plane, nothing of it differs that `gedge apply` would not put right.",
        "restart what differs with its present files: systemctl restart kubelet", "first host",
        lambda _: "nothing differs that an apply would leave as it is", _differences,
    ),
)  # fmt: skip
