"""Probe pods on secondary networks: started some at a time, looked at, and gone whatever happens."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.interrupts import sigterm_interrupts
from gedge_provision.adapters.kube import Kube, KubeError, NotFoundError
from gedge_provision.adapters.locks import held_by
from gedge_provision.models.cluster import NETWORK_ATTACHMENT, NODE, POD, Event, Manifest, NodeState, PodState
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.probes import Crossing, ProbedPod, Probes
from gedge_provision.models.progress import Reporter, step
from gedge_provision.models.site import Site
from gedge_provision.planning import probes as planning
from gedge_provision.planning.features import PERF, site_features
from gedge_provision.planning.inventory import EMULATED_LABEL
from gedge_provision.planning.perf import free_resources
from gedge_provision.planning.probes import CONTAINER, SPACE, ProbePod
from gedge_provision.provisioning.own_space import own_space
from gedge_provision.provisioning.sites import site_folder

__all__ = ["probe"]

_KINDS = {"Pod": POD, "NetworkAttachmentDefinition": NETWORK_ATTACHMENT}
_READY_S, _SLOW_READY_S = 60, 240
_SPARE_S = 120
_PING_S = 30.0
_PAUSE_S = 0.5
_AT_ONCE = 4


@dataclass(frozen=True)
class _Work:
    kube: Kube
    plan: planning.ProbePlan
    definitions: Mapping[str, Manifest]
    image: str
    tools: bool
    slow: bool

    @property
    def ready_s(self) -> int:
        """Seconds to wait for a wave of pods."""
        return _SLOW_READY_S if self.slow else _READY_S


def probe(kube: Kube, site: Site, reporter: Reporter) -> Probes:
    """Start probe pods on each attachment of a site, look at what they get, and remove them.

    What they do not get is a part of the answer, and so is why none could be started, or not all could be removed.
    """
    folder = site_folder(site) / "probes"
    found = Probes()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        work = _prepare(kube, site)
        if not work.plan.pods:
            return Probes(left_out=work.plan.left_out)
        limit_s = len(work.plan.waves) * (work.ready_s + _SPARE_S)
        with (
            sigterm_interrupts(),
            held_by(folder, f"probe pods of site {site.name}", "gedge verify"),
            own_space(kube, SPACE, folder, limit_s, reporter, slow=work.slow),
        ):
            found = _look(work, limit_s, reporter)
    except GedgeError as error:
        return found.model_copy(update={"problem": str(error).replace("\n", " ")})
    return found


def _prepare(kube: Kube, site: Site) -> _Work:
    live = {item["metadata"]["name"]: NodeState.model_validate(item) for item in kube.find(NODE)}
    pods = kube.find(POD)
    free = {name: free_resources(node, pods) for name, node in live.items()}
    plan = planning.choose_probes(site, live, free)
    found = kube.find(NETWORK_ATTACHMENT)
    definitions = {f"{one['metadata']['namespace']}/{one['metadata']['name']}": one for one in found}
    tools = PERF in site_features(site)
    artifact = load_catalog().artifact("network-tools" if tools else "pause")
    assert artifact is not None  # noqa: S101 - a test holds them in the catalog
    assert artifact.reference is not None  # noqa: S101 - an image has one
    slow = any(live[pod.node].metadata.labels.get(EMULATED_LABEL) == "true" for pod in plan.pods)
    return _Work(kube, plan, definitions, artifact.reference, tools, slow)


def _look(work: _Work, limit_s: int, reporter: Reporter) -> Probes:
    left = work.plan.left_out
    if not work.tools:
        left = (*left, "MTU and reach: the site has no test tools (networks.test_tools)")
    told: list[ProbedPod] = []
    crossings: list[Crossing] = []
    for number, wave in enumerate(work.plan.waves, start=1):
        of = f", {number} of {len(work.plan.waves)}" if len(work.plan.waves) > 1 else ""
        pods = [pod for pod in wave if pod.network in work.definitions]
        told += [
            _without(pod, "its NetworkAttachmentDefinition is missing", "put it right: gedge apply")
            for pod in wave
            if pod.network not in work.definitions
        ]
        with step(reporter, f"Start {len(pods)} probe pods{of}"):
            made = planning.objects(pods, work.definitions, work.image, tools=work.tools, limit_s=limit_s)
            for manifest in made:
                work.kube.create(_KINDS[manifest["kind"]], manifest)
            seen = _wait(work, pods)
        if work.tools:
            with step(reporter, f"Ping between probe pods{of}"):
                seen, found = _reach(work, pods, seen)
            crossings += found
        told += seen.values()
        if wave != work.plan.waves[-1]:
            with step(reporter, f"Remove probe pods{of}"):
                _end(work, pods)
    return Probes(pods=tuple(told), crossings=tuple(crossings), left_out=left)


def _reach(
    work: _Work, pods: Sequence[ProbePod], seen: Mapping[str, ProbedPod]
) -> tuple[dict[str, ProbedPod], tuple[Crossing, ...]]:
    """Return what pods show with the MTU of each, and which of them reach one another."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        full = dict(zip(seen, pool.map(lambda name: _with_mtu(work.kube, name, seen[name]), seen), strict=True))
        names = {id(result): name for name, result in full.items()}
        bridged = frozenset(pod.network for pod in pods if pod.attachment.type == "bridge")
        pairs = planning.crossings(full.values(), bridged)
        return full, tuple(pool.map(lambda pair: _cross(work.kube, names[id(pair[0])], *pair), pairs))


def _end(work: _Work, pods: Sequence[ProbePod]) -> None:
    """Delete pods, and wait until the next ones can have their devices; what stays shows as theirs not being free."""
    for pod in pods:
        with suppress(NotFoundError):
            work.kube.delete(POD, SPACE.name, pod.name)
    end = time.monotonic() + work.ready_s
    while work.kube.find(POD, SPACE.name) and time.monotonic() < end:
        time.sleep(_PAUSE_S)


def _with_mtu(kube: Kube, name: str, found: ProbedPod) -> ProbedPod:
    if not found.interface:
        return found
    try:
        done = kube.execute(SPACE.name, name, CONTAINER, ("cat", f"/sys/class/net/{found.interface}/mtu"), _PING_S)
    except KubeError as error:
        return found.model_copy(update={"problem": error.message, "remedy": error.remedy})
    return found.model_copy(update={"mtu": int(done.output) if done.code == 0 else 0})


def _without(pod: ProbePod, problem: str, remedy: str) -> ProbedPod:
    return ProbedPod(attachment=pod.network, node=pod.node, problem=problem, remedy=remedy)


def _wait(work: _Work, pods: Sequence[ProbePod]) -> dict[str, ProbedPod]:
    """Wait until each pod is ready or its trouble is known, and return what they show, by name in their order."""
    end = time.monotonic() + work.ready_s
    seen: dict[str, ProbedPod] = {}
    while len(seen) < len(pods):
        late = time.monotonic() > end
        live = {item["metadata"]["name"]: item for item in work.kube.find(POD, SPACE.name)}
        events = [Event.model_validate(event) for event in work.kube.pod_warnings(SPACE.name)]
        for pod in pods:
            found = live.get(pod.name)
            if pod.name in seen:
                continue
            if found is not None and PodState.model_validate(found).ready:
                seen[pod.name] = planning.read_pod(pod, found)
            elif trouble := planning.probe_trouble(found, events, late=late):
                seen[pod.name] = _without(pod, trouble.message, trouble.remedy)
        time.sleep(_PAUSE_S if len(seen) < len(pods) else 0)
    return {pod.name: seen[pod.name] for pod in pods}


def _cross(kube: Kube, name: str, start: ProbedPod, end: ProbedPod) -> Crossing:
    found = Crossing(attachment=start.attachment, start=start.node, end=end.node, reached=False)
    said = _ping(kube, name, planning.ping_command(start.addresses[0], end.addresses[0]))
    if said:
        return found.model_copy(update={"said": said})
    mtu = min(start.mtu, end.mtu)
    if not mtu:
        return found.model_copy(update={"reached": True})
    said = _ping(kube, name, planning.ping_command(start.addresses[0], end.addresses[0], mtu=mtu))
    return found.model_copy(update={"reached": True, "mtu": mtu, "whole": not said, "said": said})


def _ping(kube: Kube, pod: str, command: tuple[str, ...]) -> str:
    """Return what ping said when no answer came; empty when one did."""
    try:
        done = kube.execute(SPACE.name, pod, CONTAINER, command, _PING_S)
    except KubeError as error:
        return error.message
    return "" if done.code == 0 else (done.errors.strip() or done.output.strip().splitlines()[-1:] or ["no answer"])[0]
