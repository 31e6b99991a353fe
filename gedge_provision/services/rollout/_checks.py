"""What a rollout would do, checked by the API server before anything changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gedge_provision.adapters.kube import ConflictError, ForbiddenError, Kube
from gedge_provision.models.changes import Change
from gedge_provision.models.cluster import (
    POD,
    Manifest,
    NodeState,
    ServiceState,
)
from gedge_provision.models.errors import UsageError
from gedge_provision.models.pod_specs import RunningPod
from gedge_provision.models.rollouts import Content, Revision, Strategy
from gedge_provision.models.service import Service
from gedge_provision.models.wording import counted
from gedge_provision.planning import rollouts
from gedge_provision.planning.external_ports import check_external_ports
from gedge_provision.planning.fit import check_fit, fit_service
from gedge_provision.planning.manifests import INVENTORY_LABEL, comparable, external_name, render
from gedge_provision.planning.mesh import MESH_LABEL
from gedge_provision.services.namespaces import check_namespace
from gedge_provision.services.records import Records
from gedge_provision.services.rollout._stages import (
    Stage,
    address,
    controller,
    owned_by,
    replace_all,
    trial_begins,
)
from gedge_provision.services.rollout._world import World
from gedge_provision.services.scaling import dry_apply, within_fit

__all__ = ["AT_ONCE", "Planned", "begin_trial", "check", "plan"]

_UNCHECKED = (
    "whether it fits was not checked, since you may not list nodes and pods of all namespaces"
    " -> gedge service status tells what waits"
)
_FEW = 10
AT_ONCE = 8
"""So many calls to the API server at a time: more do not get ahead faster on a server with two CPUs."""


_PARTS = (
    (MESH_LABEL, "a version of mesh {}", "give the service another name, or change the mesh: gedge mesh apply FILE"),
    (
        rollouts.TRIAL_OF,
        "the trial of service {}",
        "give the service another name, or end the trial: gedge service promote {0}, or gedge service rollback {0}",
    ),
)
"""Labels of what is a part of something else, what it is then, and what to do."""


@dataclass(frozen=True)
class Planned:
    """What is to be done for one service.

    Attributes:
        content: the revision that is wanted.
        strategy: how it is brought in.
        changes: what differs from what is there.
        stages: what is sent.
        number: of the revision.
        known: that revision, if the cluster keeps it already.
        running: the revision that runs.
        others: revisions whose rollout ends by this one.
        notes: what is to be told.
    """

    content: Content
    strategy: Strategy
    changes: tuple[Change, ...]
    stages: tuple[Stage, ...]
    number: int
    known: Revision | None
    running: Revision | None
    others: tuple[Revision, ...]
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything differs from before."""
        return any(change.differs for change in self.changes)


def check(  # noqa: PLR0913 - what, where and how
    kube: Kube,
    services: Sequence[Service],
    namespace: str,
    *,
    strategy: Strategy,
    take_over: bool,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[World, tuple[Planned, ...], tuple[str, ...]]:
    """Check services against the cluster and let the API server compute every change without storing it.

    Returns what there is, what is to be done, and what is to be told.

    What can be refused is refused here: a pod that no node can hold, an external port that another service has, a
    dependency that is not there, and whatever the API server refuses.

    Args:
        kube: the cluster.
        services: in an order in which none stands before what it depends on.
        namespace: where their objects live.
        strategy: how they are brought in.
        take_over: overwrite what other field managers own.
        stop: whether to give up, asked between two calls.

    Raises:
        NotFittingError: no node can hold one.
        ConflictError: somebody else owns what this would change.
        UsageError: the namespace or a dependency is missing, or the strategy is not possible.
        GedgeError: an external port is taken.
    """
    check_namespace(kube, namespace)
    ports = any(port.external_port for service in services for one in service.containers for port in one.ports)
    world = World.read(kube, namespace, [service.name for service in services], ports=ports)
    _check_dependencies(services, world)
    _check_ports(services, world)
    services, notes = _with_room(world, services)

    def work(service: Service) -> Planned:
        return plan(world, Content(service, render(service, namespace)), strategy, take_over=take_over)

    planned = tuple(_in_order(work, services, stop))
    return world, planned, (*notes, *(note for one in planned for note in one.notes))


def _with_room(world: World, services: Sequence[Service]) -> tuple[Sequence[Service], tuple[str, ...]]:
    """Return services as they fit, and what is to be told; what the user may not look at is not checked.

    Raises:
        NotFittingError: no node can hold one.
    """
    kube, namespace, nodes = world.kube, world.namespace, world.nodes
    if nodes is None:
        return services, (_UNCHECKED,)
    for service in services:
        check_fit(service, nodes)
    try:
        fitting, notes = within_fit(kube, services, namespace, nodes)
        return fitting, notes + _without_room(kube, fitting, namespace, nodes)
    except ForbiddenError as error:
        if not error.by_rbac:
            raise
    return services, (_UNCHECKED,)


def _without_room(
    kube: Kube, services: Sequence[Service], namespace: str, nodes: Sequence[NodeState]
) -> tuple[str, ...]:
    """Return a note for each of a few services not all of whose pods fit beside what runs; the rest will wait."""
    fixed = [service for service in services if service.scaling is None]
    if len(services) > _FEW or not fixed:
        return ()
    pods = [RunningPod.model_validate(item) for item in kube.find(POD)]
    found = [fit_service(service, nodes, pods, namespace=namespace) for service in fixed]
    return tuple(
        f"{one.service}: {one.placed} of {counted(one.replicas, 'pod')} fit now, the rest will wait"
        " -> gedge service fit says why"
        for one in found
        if not one.fits
    )


def _in_order(work: Callable[[Service], Planned], items: Iterable[Service], stop: Callable[[], bool]) -> list[Planned]:
    """Do a work for each item, several at a time, and return the results in order; the first error ends it."""

    def unless_stopped(item: Service) -> Planned:
        if stop():
            raise KeyboardInterrupt
        return work(item)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(unless_stopped, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()


def _check_dependencies(services: Sequence[Service], world: World) -> None:
    names = {service.name for service in services}
    there = {item["metadata"].get("labels", {}).get(INVENTORY_LABEL) for item in world.objects.values()}
    for service in services:
        for wanted in service.depends_on:
            if wanted not in names and wanted not in there:
                raise UsageError(
                    f"it depends on {wanted}, which is not in namespace {world.namespace} and not applied with it",
                    place=service.name,
                    remedy=f"apply {wanted} first, or both at once: gedge service apply FILE FILE, or a folder",
                )


def _check_ports(services: Sequence[Service], world: World) -> None:
    for service in services:
        check_external_ports(service, world.namespace, world.published, world.addresses or ())
    taken: dict[tuple[int, str], str] = {}
    for service in services:
        for container in service.containers:
            for port in container.ports:
                if port.external_port is None:
                    continue
                owner = taken.setdefault((port.external_port, port.protocol), service.name)
                if owner != service.name:
                    raise UsageError(
                        f"external port {port.external_port}/{port.protocol} is wanted by {owner} too",
                        place=service.name,
                        remedy="choose another externalPort",
                    )


def plan(world: World, content: Content, strategy: Strategy, *, take_over: bool) -> Planned:
    """Return what brings a revision in; the API server computes every change without storing it.

    Raises:
        ConflictError: somebody else owns what this would change.
        UsageError: the strategy is not possible.
    """
    service = content.service
    revisions = world.revisions.get(service.name, ())
    running = rollouts.current(revisions)
    newest = revisions[-1] if revisions else None
    digest = rollouts.digest_of(content.manifests)
    known = newest if newest and newest.digest == digest and newest.state != "superseded" else None
    trial: rollouts.Trial | None = None
    if strategy.way == "rolling":
        changes = _changes(world, content.manifests, service.name, take_over=take_over)
        if known is None and running and running.digest == digest and not any(one.differs for one in changes):
            known = running
        number = _number(known, newest)
        stages = replace_all(content, number, world.own(service.name), world.trial(service.name))
    else:
        number = _number(known, newest)
        trial, stages = begin_trial(world, content, strategy, number)
        changes = _changes(world, trial.manifests, trial.name, take_over=take_over)
    others = tuple(one for one in revisions if one != known and (one.unfinished or one.state == "on trial"))
    notes = [trial.share_note(service.name, strategy)] if trial else []
    if trial is None:
        notes += [
            f"{service.name}: revision {one.number}, on trial as {one.strategy}, ends by this"
            for one in others
            if one.state == "on trial"
        ]
    told = tuple(note for note in notes if note)
    return Planned(content, strategy, tuple(changes), tuple(stages), number, known, running, others, told)


def begin_trial(world: World, content: Content, strategy: Strategy, number: int) -> tuple[rollouts.Trial, list[Stage]]:
    """Return a trial of a revision, and the stages that bring it in beside what runs.

    Raises:
        UsageError: the revision cannot be tried, or another one is on trial in another way.
    """
    service = content.service
    revisions = world.revisions.get(service.name, ())
    running = rollouts.current(revisions)
    base = Records(world.kube, world.namespace).content(running) if running else None
    rollouts.refuse_trial(base, content, strategy)
    assert running is not None and base is not None  # noqa: S101, PT018 - refused without
    newest = revisions[-1]
    if newest.state == "on trial" and newest.strategy.way != strategy.way:
        raise UsageError(
            f"revision {newest.number} is on trial as {newest.strategy}",
            place=service.name,
            remedy=f"end that first: gedge service promote {service.name}, or gedge service rollback {service.name}",
        )
    there = [world.objects[key] for key in world.own(service.name)]
    if not there:
        raise UsageError(f"nothing runs that a {strategy.way} rollout could stand beside", place=service.name)
    # While a canary is on trial there are fewer pods than the service is to have.
    fixed = controller(base.manifests)["spec"].get("replicas")
    replicas = fixed or controller(there)["spec"].get("replicas", 1)
    trial = rollouts.trial_of(content, strategy, world.namespace, replicas)
    return trial, trial_begins(trial, number, (base, running.number))


def _number(known: Revision | None, newest: Revision | None) -> int:
    return known.number if known else (newest.number if newest else 0) + 1


def _changes(world: World, manifests: Sequence[Manifest], owner: str, *, take_over: bool) -> list[Change]:
    scalers = [*manifests, *world.autoscalers]
    changes = [_change(world, manifest, owner, scalers, take_over=take_over) for manifest in manifests]
    wanted = {address(item) for item in manifests}
    return changes + [Change(*key, "deleted") for key in world.own(owner) if key not in wanted]


def _change(world: World, manifest: Manifest, owner: str, scalers: Sequence[Manifest], *, take_over: bool) -> Change:
    kind, name = address(manifest)
    before = world.objects.get((kind, name))
    if before is not None and not owned_by(before, owner):
        raise ConflictError(
            f"a {kind} of that name exists, and it is not part of this service; nothing was changed",
            place=f"{world.namespace}/{name}",
            remedy="give the service another name, or delete that object first",
        )
    if before is not None:
        _refuse_others_part(before, manifest, world.namespace)
    after = dry_apply(world.kube, manifest, before, scalers, take_over=take_over)
    if before is None:
        return Change(kind, name, "created")
    same = comparable(before) == comparable(after)
    if name == external_name(owner):
        same = same and ServiceState.model_validate(before).ingress_ips == world.addresses
    return Change(kind, name, "unchanged" if same else "changed")


def _refuse_others_part(before: Manifest, manifest: Manifest, namespace: str) -> None:
    """Make sure that a service of its own does not take the place of what is a part of something else."""
    there, wanted = (item["metadata"].get("labels", {}) for item in (before, manifest))
    service = wanted.get(rollouts.TRIAL_OF)
    if service is not None and rollouts.TRIAL_OF not in there:
        name = there[INVENTORY_LABEL]
        raise ConflictError(
            f"the trial of {service} would have the name {name}, which a service of its own has; nothing was changed",
            place=f"{namespace}/{service}",
            remedy=f"give one of the two another name, or apply {service} without --canary and --blue-green",
        )
    for label, what, remedy in _PARTS:
        if label in there and there[label] != wanted.get(label):
            raise ConflictError(
                f"{what.format(there[label])} has that name; nothing was changed",
                place=f"{namespace}/{manifest['metadata']['name']}",
                remedy=remedy.format(there[label]),
            )
