"""Probe pods: started side by side, ready or given up with a reason, gone before others come."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gedge_provision.adapters.kube import Kube, KubeError, UnreachableError
from gedge_provision.models.cluster import NETWORK_ATTACHMENT, POD, Event
from gedge_provision.models.perf import PathFacts, PerfSettings, Problem
from gedge_provision.planning import perf as planning
from gedge_provision.planning.perf import CONTAINER, NAMESPACE, SIDES, Pair, PodNetwork, Side

__all__ = ["Started", "Wanted", "start", "stop"]

_KINDS = {"Pod": POD, "NetworkAttachmentDefinition": NETWORK_ATTACHMENT}
_PAUSE_S = 0.5
_GONE_S = 120.0
_LAST_S = 150
_CHECKS = 6
_LIMIT_S = 20.0
_RDMA_LIMIT_S = 30.0


@dataclass(frozen=True)
class Wanted:
    """How pods are to be.

    Attributes:
        ends: their nodes.
        image: the image with the tools.
        pull: whether the kubelet may pull it.
        settings: how it is measured.
        limit_s: seconds that the run may take; the kubelet ends pods that outlive it.
        ready_s: seconds to wait until they are ready.
    """

    ends: planning.Ends
    image: str
    pull: bool
    settings: PerfSettings
    limit_s: int
    ready_s: float


@dataclass
class Started:
    """Pairs whose servers answer, by number, and those that do not over RDMA; what else became of the batch."""

    servers: dict[int, str] = field(default_factory=dict)
    without_rdma: set[int] = field(default_factory=set)
    facts: dict[int, PathFacts] = field(default_factory=dict)
    models: dict[Side, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def start(kube: Kube, batch: Sequence[Pair], wanted: Wanted) -> Started:
    """Start the pods of a batch, wait until they are ready, and try whether each server answers."""
    # A run ends before its pods do: the last measurement may begin in its last second.
    limit_s = wanted.limit_s + _LAST_S
    objects = planning.batch_objects(
        batch, wanted.ends, wanted.image, pull=wanted.pull, settings=wanted.settings, limit_s=limit_s
    )
    started = Started()
    for manifest in objects:
        kube.create(_KINDS[manifest["kind"]], manifest)
    pods = _wait_ready(kube, batch, wanted, started)
    for pair in batch:
        if pair.number in pods:
            _try_pair(kube, pair, wanted, pods[pair.number], started)
    return started


def stop(kube: Kube, batch: Sequence[Pair]) -> None:
    """Delete the pods of a batch and wait until they are gone: devices and CPUs come back only then."""
    for pair in batch:
        for side in SIDES:
            kube.delete(POD, NAMESPACE, planning.pod_name(pair, side))
        if pair.path.attachment is not None:
            kube.delete(NETWORK_ATTACHMENT, NAMESPACE, planning.attachment_name(pair))
    names = {planning.pod_name(pair, side) for pair in batch for side in SIDES}
    end = time.monotonic() + _GONE_S
    while names & {pod["metadata"]["name"] for pod in kube.find(POD, NAMESPACE)}:
        if time.monotonic() > end:
            raise KubeError(
                f"probe pods are still there after {_GONE_S:g} s",
                place=f"namespace {NAMESPACE}",
                remedy="look at the kubelet's log on the nodes",
            )
        time.sleep(_PAUSE_S)


def _wait_ready(
    kube: Kube, batch: Sequence[Pair], wanted: Wanted, started: Started
) -> dict[int, dict[Side, PodNetwork]]:
    """Return the networks of both pods of each pair that got ready."""
    end = time.monotonic() + wanted.ready_s
    waiting = {pair.number: pair for pair in batch}
    ready: dict[int, dict[Side, PodNetwork]] = {}
    while waiting:
        late = time.monotonic() > end
        pods = {pod["metadata"]["name"]: pod for pod in kube.find(POD, NAMESPACE)}
        events = [Event.model_validate(event) for event in kube.pod_warnings(NAMESPACE)]
        for number, pair in list(waiting.items()):
            both = {side: pods.get(planning.pod_name(pair, side)) for side in SIDES}
            networks = {side: network for side, pod in both.items() if (network := planning.ready_network(pod, pair))}
            if len(networks) == len(SIDES):
                ready[number] = networks
                del waiting[number]
                continue
            troubles = [planning.pod_problem(pod, pair, events, late=late) for pod in both.values()]
            problem = next((trouble for trouble in troubles if trouble is not None), None)
            if problem is not None:
                started.problems.append(problem)
                del waiting[number]
        if waiting:
            time.sleep(_PAUSE_S)
    return ready


def _try_pair(kube: Kube, pair: Pair, wanted: Wanted, networks: Mapping[Side, PodNetwork], started: Started) -> None:
    """Ask the server for an answer, and both pods for their CPUs and the MTU."""
    server, client = networks["server"], networks["client"]
    if server.address == client.address and pair.path.attachment is not None:
        started.problems.append(planning.same_address(pair, server.address))
        return
    said = _answer(kube, pair, server.address)
    if said:
        started.problems.append(planning.silent_server(pair, wanted.ends, server.address, said))
        return
    if pair.path.rdma and (said := _rdma_answer(kube, pair, server.address)):
        started.problems.append(planning.no_rdma(pair, said))
        started.without_rdma.add(pair.number)
    told = {}
    for side in SIDES:
        script = planning.FACTS_SCRIPT.format(interface=networks[side].interface or "none")
        done = kube.execute(NAMESPACE, planning.pod_name(pair, side), CONTAINER, ("sh", "-c", script), _LIMIT_S)
        told[side] = planning.read_facts(done.output)
        started.models[side] = told[side][0]
    started.servers[pair.number] = server.address
    started.facts[pair.number] = PathFacts(
        name=pair.path.name,
        kind=pair.path.kind,
        pinning=pair.pinning,
        server_address=server.address,
        client_address=client.address,
        mtu=told["client"][2],
        server_cpus=told["server"][1],
        client_cpus=told["client"][1],
        server_device=server.device,
        client_device=client.device,
    )


def _answer(kube: Kube, pair: Pair, server: str) -> str:
    """Return why the server does not answer, after some tries: it may be starting; empty when it does."""
    said = ""
    for _ in range(_CHECKS):
        command = planning.check_command(pair, server)
        try:
            done = kube.execute(NAMESPACE, planning.pod_name(pair, "client"), CONTAINER, command, _LIMIT_S)
            planning.parse("ping-pong", done.output or done.errors)
        except (planning.MeasureError, UnreachableError) as error:
            said = str(error)
            time.sleep(_PAUSE_S)
        else:
            return ""
    return said


def _rdma_answer(kube: Kube, pair: Pair, server: str) -> str:
    """Return why RDMA gets no answer; empty when it does."""
    said = ""
    for _ in range(_CHECKS):
        command = planning.rdma_check_command(pair, server)
        try:
            done = kube.execute(NAMESPACE, planning.pod_name(pair, "client"), CONTAINER, command, _RDMA_LIMIT_S)
            said = planning.answers(done.output or done.errors)
        except UnreachableError as error:
            said = str(error)
        if not said:
            break
        time.sleep(_PAUSE_S)
    return said
