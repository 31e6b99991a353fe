"""What the pods of a node own, and every remark on it."""

from __future__ import annotations

from collections.abc import Iterator

from gedge_provision.models.pod_alignment import ContainerHolding, NodePods, Remark
from gedge_provision.models.pod_resources import HeldDevices, NodeResources, PodResources
from gedge_provision.models.topology import UNKNOWN_NODE, Topology
from gedge_provision.models.wording import counted
from gedge_provision.planning.pod_alignment._cores import core_remarks
from gedge_provision.planning.pod_alignment._places import place_remarks
from gedge_provision.planning.pod_alignment._state import state_remarks

__all__ = ["align_pods"]

_STRICT = "strict-cpu-reservation"


def align_pods(node: str, told: NodeResources, topology: Topology, *, everything: bool = False) -> NodePods:
    """Return what the pods of a node own, and what is wrong with it.

    Args:
        node: its name.
        told: what its kubelet says.
        topology: what its kernel says.
        everything: also list containers that own nothing.
    """
    allocatable = told.allocatable.cpus
    reserved = (topology.online - allocatable if allocatable else frozenset()) | told.kubelet.reserved
    pods = sorted(told.pods, key=lambda pod: (pod.namespace, pod.name))
    listed = tuple(holding for pod in pods for holding in _holdings(pod, topology))
    waiting = tuple(_init_holdings(told, listed, topology))
    holdings = sorted((*listed, *waiting), key=lambda one: (one.full_name, not one.init))
    shared = _shared(told, topology, reserved)
    return NodePods(
        node=node,
        policies=told.kubelet,
        reserved=reserved,
        shared=shared,
        containers=tuple(one for one in holdings if everything or not one.nothing),
        remarks=(
            *core_remarks(holdings, topology, told.kubelet, reserved),
            *place_remarks(listed, topology, told),
            *(() if shared else _crowded(listed)),
            *state_remarks(told),
        ),
    )


def _shared(told: NodeResources, topology: Topology, reserved: frozenset[int]) -> frozenset[int]:
    """Return the CPUs that nobody owns, by the kubelet's state file, or by what pods own where it does not tell."""
    if told.allocatable.cpus and told.cpu_state and told.cpu_state.readable:
        return told.cpu_state.shared
    owned = {cpu for pod in told.pods for container in pod.containers for cpu in container.cpus}
    return topology.online - owned - (reserved if _STRICT in told.kubelet.cpu_options else frozenset())


def _holdings(pod: PodResources, topology: Topology) -> Iterator[ContainerHolding]:
    for container in pod.containers:
        yield ContainerHolding(
            namespace=pod.namespace,
            pod=pod.name,
            container=container.name,
            cpus=container.cpus,
            numa_nodes=_nodes_of(container.cpus, topology),
            memory=container.memory,
            devices=tuple(found for devices in container.devices for found in _placed(devices, topology)),
        )


def _init_holdings(
    told: NodeResources, listed: tuple[ContainerHolding, ...], topology: Topology
) -> Iterator[ContainerHolding]:
    """Yield init containers that keep CPUs which no container after them got; the state file alone tells of them."""
    for uid, entries in told.cpu_state.entries.items() if told.cpu_state else ():
        of_pod = [one for one in listed if one.full_name == told.pod_names.get(uid)]
        passed_on = frozenset(cpu for one in of_pod for cpu in one.cpus)
        for name, value in entries.items():
            cpus = frozenset(one for one in value if isinstance(one, int))
            if of_pod and name not in {one.container for one in of_pod} and cpus - passed_on:
                yield ContainerHolding(
                    namespace=of_pod[0].namespace,
                    pod=of_pod[0].pod,
                    container=name,
                    cpus=cpus,
                    numa_nodes=_nodes_of(cpus, topology),
                    init=True,
                )


def _nodes_of(cpus: frozenset[int], topology: Topology) -> tuple[int, ...]:
    return tuple(sorted({topology.node_of[cpu] for cpu in cpus if cpu in topology.node_of}))


def _placed(devices: HeldDevices, topology: Topology) -> Iterator[HeldDevices]:
    """Yield devices with their NUMA nodes; where the plugin tells none, the kernel is asked by PCI address."""
    known = {device.address: device.numa_node for device in topology.devices}
    places = {name: known.get(name, UNKNOWN_NODE) for name in devices.ids}
    if devices.numa_nodes or set(places.values()) <= {UNKNOWN_NODE}:
        yield devices
        return
    for node in sorted(set(places.values())):
        yield HeldDevices(
            resource=devices.resource,
            ids=tuple(name for name in devices.ids if places[name] == node),
            numa_nodes=() if node == UNKNOWN_NODE else (node,),
        )


def _crowded(holdings: tuple[ContainerHolding, ...]) -> Iterator[Remark]:
    """Remark that containers without own CPUs run on those of others: the kubelet leaves them where they were."""
    others = [holding for holding in holdings if not holding.cpus]
    if others:
        yield Remark(
            severity="error",
            kind="shared",
            message=f"pods own every CPU that is not reserved, and {_STRICT} keeps pods off the reserved ones: "
            f"{counted(len(others), 'container')} without own CPUs run on owned and reserved ones alike",
            remedy=f"let pods own one core less, or reserve without {_STRICT}",
        )
