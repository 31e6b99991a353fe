"""What we say of a course of pods, in the form of the judge's answers."""

from __future__ import annotations

from kubelet_judge import Admission, Course

from gedge_provision.models.alignment import KubeletPolicies
from gedge_provision.models.cpusets import format_cpuset
from gedge_provision.models.pod_specs import RunningPod
from gedge_provision.planning.admission import Machine, State, admit, describe, empty, machine_of, without
from gedge_provision.planning.fit import ask_of


def machine(course: Course) -> Machine:
    """Return the machine of a course, by its topology, the kubelet's configuration and its devices."""
    known = describe(course.topology, KubeletPolicies.model_validate(course.kubelet))
    places = {
        resource: {device: tuple(nodes) for device, nodes in devices.items()}
        for resource, devices in course.devices.items()
    }
    return machine_of(known, places)


def predicted(course: Course) -> list[Admission]:
    """Return our verdicts on a course."""
    here = machine(course)
    state = empty(here)
    verdicts = []
    for step in course.steps:
        if isinstance(step, str):
            state = without(here, state, step)
            continue
        pod = RunningPod.model_validate(step)
        verdict = admit(here, state, ask_of(pod))
        state = verdict.state
        verdicts.append(_admission(verdict.reason, state, pod.metadata.uid))
    return verdicts


def _admission(reason: str | None, state: State, uid: str) -> Admission:
    if reason is not None:
        return Admission(reason, {}, {}, {})
    devices: dict[str, tuple[str, ...]] = {}
    for (owner, container, _), ids in state.devices.items():
        if owner == uid:
            devices[container] = tuple(sorted((*devices.get(container, ()), *ids)))
    return Admission(
        "",
        {name: format_cpuset(cpus) for (owner, name), cpus in state.cpus.items() if owner == uid},
        {
            name: frozenset((block.kind, block.size, block.nodes) for block in blocks)
            for (owner, name), blocks in state.blocks.items()
            if owner == uid
        },
        devices,
    )
