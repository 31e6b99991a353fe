"""Whether the state files of a kubelet say what the kubelet says: they are what counts when it starts again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gedge_provision.models.cpusets import format_cpuset
from gedge_provision.models.pod_alignment import Remark
from gedge_provision.models.pod_resources import ContainerResources, HeldMemory, ManagerState, NodeResources

__all__ = ["state_remarks"]

_Held = frozenset[int | HeldMemory]
_ANEW = "drain the node, remove the file and restart the kubelet"


@dataclass(frozen=True)
class _Manager:
    """One of the two managers: what its state is named, which policy keeps one."""

    name: str
    file: str
    keeping: str
    configured: str
    state: ManagerState | None

    def held(self, container: ContainerResources) -> _Held:
        return container.cpus if self.name == "CPU" else frozenset(container.memory)


def state_remarks(told: NodeResources) -> Iterator[Remark]:
    """Yield where the files and the kubelet differ."""
    folder = "/var/lib/kubelet"
    yield from _of_manager(
        _Manager("CPU", f"{folder}/cpu_manager_state", "static", told.kubelet.cpu, told.cpu_state), told
    )
    yield from _of_manager(
        _Manager("memory", f"{folder}/memory_manager_state", "Static", told.kubelet.memory, told.memory_state), told
    )


def _of_manager(manager: _Manager, told: NodeResources) -> Iterator[Remark]:
    state = manager.state
    if state is None:
        if manager.configured == manager.keeping:
            yield _differs(
                f"{manager.file} is missing: who owns what is forgotten when the kubelet starts again", _ANEW
            )
        return
    if not state.readable:
        yield _differs(f"{manager.file} is not what a kubelet writes: the kubelet will not start with it", _ANEW)
        return
    if state.policy != manager.configured:
        yield Remark(
            severity="error",
            kind="policy-differs",
            message=f"the {manager.name} manager runs with the policy {state.policy}, and the kubelet's configuration "
            f"says {manager.configured}: the kubelet will not start again",
            remedy="gedge apply --drain-ok --kubelet-restart-ok",
        )
        return
    if told.pod_names:
        yield from _entries(manager, state, told)


def _entries(manager: _Manager, state: ManagerState, told: NodeResources) -> Iterator[Remark]:
    listed = {pod.full_name: pod for pod in told.pods}
    kept: dict[str, list[Mapping[str, _Held]]] = {}
    for uid, entries in state.entries.items():
        name = told.pod_names.get(uid, uid)
        held: dict[str, _Held] = {container: frozenset(value) for container, value in entries.items()}
        kept.setdefault(name, []).append(held)
        if name not in listed:
            everything: _Held = frozenset(one for value in held.values() for one in value)
            yield Remark(
                severity="note",
                kind="gone",
                pod=name,
                message=f"{_shown(everything)} kept for it, and the kubelet does not list it: it has just ended, "
                "or begins",
                remedy="look again in some seconds; if it stays, restart the kubelet",
            )
    known = set(told.pod_names.values())
    for name, pod in listed.items():
        if name not in known:
            continue  # its UID is not known yet
        for container in pod.containers:
            said = manager.held(container)
            # A pod that was made anew under its name may have two entries for a moment.
            noted = [entry[container.name] for entry in kept.get(name, []) if container.name in entry]
            if said not in noted and (said or noted):
                yield _differs(
                    f"the kubelet says that it owns {_shown(said)}, and {manager.file} says "
                    f"{' or '.join(map(_shown, noted)) or 'nothing'}",
                    "find out who wrote the file, it counts when the kubelet starts again; " + _ANEW,
                    name,
                    container.name,
                )


def _differs(message: str, remedy: str, pod: str = "", container: str = "") -> Remark:
    return Remark(severity="error", kind="state-differs", pod=pod, container=container, message=message, remedy=remedy)


def _shown(held: _Held) -> str:
    """Return CPUs or memory in words."""
    cpus = frozenset(one for one in held if isinstance(one, int))
    blocks = [
        f"{one.kind} of {one.bytes >> 20} MiB on {format_cpuset(one.numa_nodes)}"
        for one in held
        if isinstance(one, HeldMemory)
    ]
    return ", ".join(sorted(blocks)) or (f"CPUs {format_cpuset(cpus)}" if cpus else "nothing")
