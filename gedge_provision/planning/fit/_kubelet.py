"""What the kubelet of a node says of a pod: its machine, what pods own there, and the verdict in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from gedge_provision.models.cluster import NodeState
from gedge_provision.models.fit import Obstacle
from gedge_provision.models.pod_resources import ContainerResources, NodeLook, NodeResources
from gedge_provision.models.pod_specs import RunningPod
from gedge_provision.models.wording import counted
from gedge_provision.planning.admission import (
    Block,
    ContainerAsk,
    Machine,
    PodAsk,
    State,
    Verdict,
    admit,
    describe,
    empty,
    machine_of,
    with_block,
)
from gedge_provision.planning.alignment import read_alignment
from gedge_provision.planning.fit._asks import ask_of

__all__ = ["Kubelet", "kubelet_of", "refusal"]

_CPU = "cpu"


@dataclass(frozen=True)
class Kubelet:
    """A kubelet: its machine, and what pods own there."""

    machine: Machine
    state: State

    def cleared(self) -> Kubelet:
        """Return it without any pod."""
        return replace(self, state=empty(self.machine))

    def admit(self, pod: RunningPod, uid: str) -> Verdict:
        """Return what it says of a pod that comes."""
        return admit(self.machine, self.state, ask_of(pod, uid))


def kubelet_of(node: NodeState, pods: Sequence[RunningPod], look: NodeLook | None = None) -> Kubelet | None:
    """Return the kubelet of a node; None where nothing is known of it.

    Args:
        node: the node.
        pods: those that it has.
        look: what was seen of it; None leaves the annotation, and what the pods ask for: they are placed anew, oldest
            first, which is where they are unless others went in between.
    """
    if look is not None:
        machine = _machine_seen(look)
        holders = {pod.full_name: pod for pod in look.told.pods}
        state = _held(machine, look.told, {pod.full_name for pod in pods})
    else:
        known = read_alignment(node.metadata.annotations)
        if known is None:
            return None
        machine, holders = machine_of(known), {}
        state = empty(machine)
    for pod in sorted(pods, key=_age):
        if pod.full_name not in holders:
            state = _placed(machine, state, pod)
    return Kubelet(machine, state)


def _machine_seen(look: NodeLook) -> Machine:
    told = look.told
    policies = told.kubelet
    if told.allocatable.cpus:
        policies = policies.model_copy(update={"reserved": look.topology.online - told.allocatable.cpus})
    devices: dict[str, dict[str, tuple[int, ...]]] = {}
    for group in told.allocatable.devices:
        devices.setdefault(group.resource, {}).update(dict.fromkeys(group.ids, group.numa_nodes))
    return machine_of(describe(look.topology, policies), devices)


def _held(machine: Machine, told: NodeResources, names: Collection[str]) -> State:
    """Return what these pods own; others that were seen have ended, or are to be left out."""
    state = empty(machine)
    for pod in told.pods:
        for container in pod.containers if pod.full_name in names else ():
            state = _with(state, pod.full_name, container)
    if told.cpu_state and told.cpu_state.readable and told.cpu_state.shared:
        # What init containers have left with their pod stands in the state file alone.
        listed = frozenset(cpu for pod in told.pods for container in pod.containers for cpu in container.cpus)
        others = frozenset(machine.cpus) - machine.reserved - told.cpu_state.shared - listed
        state = replace(state, cpus={**state.cpus, ("", "init"): others}) if others else state
    return state


def _with(state: State, pod: str, container: ContainerResources) -> State:
    memory = state.memory
    blocks = tuple(Block(held.kind, held.bytes, held.numa_nodes) for held in container.memory if held.numa_nodes)
    for block in blocks:
        memory = with_block(memory, block, block.size)
    devices: dict[tuple[str, str, str], frozenset[str]] = {}
    for group in container.devices:
        key = (pod, container.name, group.resource)
        devices[key] = devices.get(key, frozenset()) | frozenset(group.ids)
    return State(
        memory,
        {**state.cpus, (pod, container.name): container.cpus},
        {**state.blocks, (pod, container.name): blocks},
        {**state.devices, **devices},
    )


def _age(pod: RunningPod) -> tuple[float, str]:
    made = pod.metadata.creation_timestamp
    return (made.timestamp() if made else 0.0, pod.full_name)


def _placed(machine: Machine, state: State, pod: RunningPod) -> State:
    """Return what is owned with a pod that the node has, wherever the kubelet has put it."""
    ask = ask_of(pod, pod.metadata.uid or pod.full_name)
    verdict = admit(machine, state, ask)
    if verdict.reason is None:
        return verdict.state
    # It is there all the same: it came under other policies, or between pods that have ended.
    lenient = machine.policies.model_copy(update={"topology": "none", "cpu_options": ()})
    return admit(replace(machine, policies=lenient), state, ask).state


def refusal(machine: Machine, verdict: Verdict) -> Obstacle:
    """Return why a kubelet refuses, with what each NUMA node has left."""
    assert verdict.reason is not None  # noqa: S101 - it refuses
    ask, state = verdict.ask, verdict.left or verdict.state
    name = f"container {ask.name}: " if isinstance(ask, ContainerAsk) and machine.policies.scope != "pod" else ""
    message = verdict.message
    if verdict.reason == "SMTAlignmentError" and isinstance(ask, ContainerAsk) and ask.cpus % machine.threads:
        message += f"; ask for {ask.cpus + machine.threads - ask.cpus % machine.threads}"
    elif verdict.reason == "TopologyAffinityError" and ask is not None:
        message = _apart(machine, state, ask)
    return Obstacle(kind=verdict.reason, text=f"{verdict.reason}: {name}{message}", joint=": on")


def _apart(machine: Machine, state: State, ask: ContainerAsk | PodAsk) -> str:
    single = machine.policies.topology == "single-numa-node"
    lacking = {node: list(_lacking(machine, state, ask, node)) for node in machine.nodes}
    rows = "; ".join(f"node {node} has {', '.join(parts)}" for node, parts in lacking.items() if parts)
    if single and all(lacking.values()):
        return f"no NUMA node has all of it ({rows})"
    if single:
        return "CPUs, memory and devices are not free on the same NUMA node"
    more = f" ({rows})" if rows else ""
    return f"the fewest NUMA nodes that could have all of it are not free, or differ for CPUs, memory and devices{more}"


def _lacking(machine: Machine, state: State, ask: ContainerAsk | PodAsk, node: int) -> Iterator[str]:
    """Yield what a NUMA node has too little of."""
    if ask.cpus and machine.policies.cpu == "static":
        free = machine.cpus_of_node.get(node, frozenset()) - machine.reserved - state.owned_cpus
        if len(free) < ask.cpus:
            yield f"{len(free)} {_plural('CPU', len(free))} of {ask.cpus}"
    if machine.policies.memory == "Static":
        for kind, size in ask.memory.items():
            left = state.memory[node].free.get(kind, 0) if len(state.memory[node].group) == 1 else 0
            if left < size:
                yield f"{left >> 20} MiB of {size >> 20} MiB {kind}"
    for resource, number in ask.devices.items():
        places = machine.devices.get(resource, {})
        if any(places.values()):
            near = [one for one, nodes in places.items() if node in nodes]
            free_devices = len(set(near) - state.owned_devices(resource))
            if free_devices < number:
                yield f"{free_devices} {resource} of {number}"


def _plural(noun: str, number: int) -> str:
    return counted(number, noun).split(" ", 1)[1]
