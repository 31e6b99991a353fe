"""What holds of every prediction: it never asks for more than is free, it names what is so, and its variant fits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from looks import GPU, MEMORY, PINNED, VF, node, running, service

from gedge_provision.models.cluster import NodeState
from gedge_provision.models.pod_specs import RunningPod, amount_of, template_of
from gedge_provision.models.service import Service
from gedge_provision.planning.fit import Room, fit_of, kubelet_of, largest_variant
from gedge_provision.planning.manifests import render

_MIB = 2**20
KUBELETS: list[dict[str, Any] | None] = [
    None,
    PINNED,
    MEMORY,
    {**PINNED, "topologyManagerScope": "container"},
    {**PINNED, "topologyManagerPolicy": "restricted", "cpuManagerPolicyOptions": {}},
    {**MEMORY, "topologyManagerPolicy": "best-effort"},
    {"topologyManagerPolicy": "single-numa-node"},
]


@st.composite
def nodes(draw: st.DrawFn) -> tuple[NodeState, list[RunningPod]]:
    """A node of six CPUs and 3584 MiB, with what runs there."""
    kubelet = draw(st.sampled_from(KUBELETS))
    vfs = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    gpus = draw(st.integers(0, 2))
    pods = []
    for number in range(draw(st.integers(0, 3))):
        cpu = draw(st.sampled_from(["500m", "1", "2", "3"]))
        pods.append(running(f"p{number}", made=number, cpu=cpu, memory=f"{draw(st.integers(1, 900))}Mi"))
    return node("w1", kubelet, vfs, **{GPU: str(gpus) if gpus else ""}), pods


@st.composite
def services(draw: st.DrawFn) -> Service:
    aware = draw(st.booleans())
    cpu: object = draw(st.integers(1, 9)) if aware else draw(st.sampled_from(["200m", "1500m", "5", "7"]))
    memory = f"{draw(st.integers(1, 4000))}Mi"
    return service(cpu, memory, aware=aware, gpus=draw(st.integers(0, 3)), sriov=draw(st.booleans()))


def left(given_node: NodeState, pods: list[RunningPod]) -> dict[str, Decimal]:
    """Return what is free by the pods' own words, without any code of the prediction."""
    free = {name: amount_of(amount) for name, amount in given_node.status.allocatable.items()}
    for pod in pods:
        for container in pod.spec.containers:
            for name, amount in container.resources.requests.items():
                free[name] = free.get(name, Decimal(0)) - amount
    return free


@settings(max_examples=300, deadline=None)
@given(place=nodes(), wanted=services())
def test_every_prediction(place: tuple[NodeState, list[RunningPod]], wanted: Service) -> None:
    given_node, pods = place
    room = Room.of(given_node, pods, kubelet_of(given_node, pods))
    pod = template_of(render(wanted, "default"))
    (container,) = pod.spec.containers
    free = left(given_node, pods)
    found = fit_of(pod, room, 1)
    short = {name for name, amount in container.resources.requests.items() if amount > free.get(name, Decimal(0))}
    named = {one.text.split(": ")[0] for one in found.obstacles if one.kind in {"not-offered", "not-enough", "taken"}}
    assert named == short
    if found.holds:
        assert found.empty_holds
        assert (found.obstacles, found.largest) == ((), "")
        return
    assert found.obstacles
    if not short:
        (refused,) = found.obstacles
        assert given_node.metadata.annotations
        assert refused.kind in {"TopologyAffinityError", "SMTAlignmentError", "UnexpectedAdmissionError"}
    _check_variant(pod, room, found.largest)


def _check_variant(pod: RunningPod, room: Room, words: str) -> None:
    threads = room.kubelet.machine.threads if room.kubelet else 1
    variant = largest_variant(pod, room.free(), threads, lambda other: not room.obstacles(other))
    assert bool(words) == bool(variant)
    if variant is None:
        return
    assert variant[0] == words
    assert room.obstacles(variant[1]) == ()
    before, after = (one.spec.containers[0].resources.requests for one in (pod, variant[1]))
    grown = {name for name, amount in after.items() if amount > before[name]}
    assert grown <= {"cpu"}
    for name, amount in after.items():
        if amount == before[name] or name in grown:
            continue
        step = Decimal(_MIB) if name == "memory" else Decimal(1) if name in {VF, GPU} else None
        if step and amount + step < before[name] and len(_changed(before, after)) == 1:
            resources = variant[1].spec.containers[0].resources
            more = {part: {**getattr(resources, part), name: amount + step} for part in ("requests", "limits")}
            larger = variant[1].spec.containers[0].model_copy(update={"resources": resources.model_copy(update=more)})
            spec = variant[1].spec.model_copy(update={"containers": (larger,)})
            assert room.obstacles(variant[1].model_copy(update={"spec": spec})) != ()


def _changed(before: dict[str, Decimal], after: dict[str, Decimal]) -> set[str]:
    return {name for name, amount in before.items() if after.get(name) != amount}
