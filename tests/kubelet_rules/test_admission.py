"""Is the kubelet's verdict on pods what we predict? Asked of the kubelet's own managers, pod after pod."""

from __future__ import annotations

from kubelet_judge import Admission, Course

from gedge_provision.models.alignment import KubeletPolicies
from gedge_provision.models.cpusets import format_cpuset
from gedge_provision.models.pod_specs import RunningPod
from gedge_provision.planning.admission import admit, describe, empty, machine_of, without
from gedge_provision.planning.fit import ask_of

_COURSES = 600


def predicted(given: Course) -> list[Admission]:
    """Return our verdicts on a course."""
    known = describe(given.topology, KubeletPolicies.model_validate(given.kubelet))
    machine = machine_of(
        known, {name: {id_: tuple(nodes) for id_, nodes in ids.items()} for name, ids in given.devices.items()}
    )
    state = empty(machine)
    verdicts = []
    for step in given.steps:
        if isinstance(step, str):
            state = without(machine, state, step)
            continue
        pod = RunningPod.model_validate(step)
        verdict = admit(machine, state, ask_of(pod))
        state = verdict.state
        uid = pod.metadata.uid
        mine = (
            {}
            if verdict.reason
            else {
                "cpus": {name: format_cpuset(cpus) for (owner, name), cpus in state.cpus.items() if owner == uid},
            }
        )
        verdicts.append(Admission(verdict.reason or "", verdict.message, mine.get("cpus", {}), {}, {}))
    return verdicts
