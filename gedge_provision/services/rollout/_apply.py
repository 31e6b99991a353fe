"""Bringing services onto a cluster: checks, server-side apply, waiting with reasons, and the way back."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from gedge_provision.adapters.interrupts import interrupts_at_the_end
from gedge_provision.adapters.kube import BusyError, ForbiddenError, Kube, UnreachableError
from gedge_provision.adapters.tcp import answers
from gedge_provision.models.changes import Change
from gedge_provision.models.cluster import SERVICE, ServiceState
from gedge_provision.models.errors import RolloutError
from gedge_provision.models.progress import SILENT, Reporter, step
from gedge_provision.models.rollouts import Revision, RevisionState, Strategy
from gedge_provision.models.service import Service
from gedge_provision.models.wording import counted
from gedge_provision.planning.external_ports import service_urls
from gedge_provision.planning.manifests import INVENTORY_LABEL, MANAGED
from gedge_provision.planning.rollouts import dependency_order
from gedge_provision.services.records import Records
from gedge_provision.services.rollout._checks import Planned, check
from gedge_provision.services.rollout._engine import Engine
from gedge_provision.services.rollout._rollouts import Rollout, Settings
from gedge_provision.services.rollout._world import World

__all__ = ["Applied", "apply_service", "apply_services", "carry_through", "rollout_of", "succeeded"]

_PORT_S = 10.0
_ROLLING = Strategy()


@dataclass(frozen=True)
class Applied:
    """What an apply did to a service, or with a dry run would do.

    Attributes:
        name: the service.
        namespace: where it is.
        changes: what differs from before.
        state: ready, on trial (a canary or preview is ready), rolled back, failed, not begun, paused or superseded;
            empty after a dry run.
        revision: its number; 0 after a dry run.
        urls: how to reach its external ports.
        qos: the QoS classes of its pods, where it was looked at them.
        problem: what went wrong; empty when nothing did.
        remedy: what to do about that.
    """

    name: str
    namespace: str
    changes: tuple[Change, ...]
    state: str = ""
    revision: int = 0
    urls: tuple[str, ...] = ()
    qos: tuple[str, ...] = ()
    problem: str = ""
    remedy: str = ""

    @property
    def changed(self) -> bool:
        """Whether anything differs from before."""
        return any(change.differs for change in self.changes)

    @property
    def error(self) -> RolloutError | None:
        """What went wrong, as an error."""
        if not self.problem:
            return None
        return RolloutError(self.problem, place=f"{self.namespace}/{self.name}", remedy=self.remedy)


def apply_service(  # noqa: PLR0913 - what, where and how long
    kube: Kube,
    service: Service,
    namespace: str = "default",
    reporter: Reporter = SILENT,
    *,
    timeout_s: float = 120,
    dry_run: bool = False,
    take_over: bool = False,
    rollback: bool = True,
    strategy: Strategy = _ROLLING,
) -> Applied:
    """Make the cluster run a service as described, and wait until it is ready: `apply_services` with one.

    Raises:
        NotFittingError: no node can hold it.
        ConflictError: somebody else owns what this would change.
        RolloutError: an external port is taken, or the service does not get ready; says whether it was taken back.
    """
    (applied,) = apply_services(
        kube,
        [service],
        namespace,
        reporter,
        timeout_s=timeout_s,
        dry_run=dry_run,
        take_over=take_over,
        rollback=rollback,
        strategy=strategy,
    )
    return succeeded(applied)


def apply_services(  # noqa: PLR0913 - what, where and how long
    kube: Kube,
    services: Sequence[Service],
    namespace: str = "default",
    reporter: Reporter = SILENT,
    *,
    timeout_s: float = 120,
    dry_run: bool = False,
    take_over: bool = False,
    rollback: bool = True,
    strategy: Strategy = _ROLLING,
) -> tuple[Applied, ...]:
    """Make the cluster run services as described, each when those that it depends on are ready, and wait for them.

    Everything that can be refused is refused before the first object changes: a pod that no node can hold, an external
    port that another service has, a dependency that is not there, and what the API server itself refuses in a dry run.
    Every service has revisions in the cluster. One that does not get ready is taken back to the revision that ran
    before; the others go on. A rollout that was ended in the middle goes on when the same is applied again, or by
    `resume_service`.

    Args:
        kube: the cluster.
        services: the services.
        namespace: where their objects live.
        reporter: receives the progress.
        timeout_s: seconds without any headway after which a service has failed.
        dry_run: stop after the checks.
        take_over: overwrite what other field managers own.
        rollback: take back what does not get ready; else it stays as it is, to be looked at.
        strategy: how new pods take the place of old ones.

    Returns:
        what became of each, in the order of `services`. A service that failed is no exception.

    Raises:
        NotFittingError: no node can hold one.
        ForbiddenError: the user may not do this to the only one of them.
        ConflictError: somebody else owns what this would change.
        UsageError: two have one name, they wait for one another, or the strategy is not possible.
        GedgeError: an external port is taken.
    """
    order = dependency_order(services)
    by_name = {service.name: service for service in services}
    what = services[0].name if len(services) == 1 else counted(len(services), "service")
    stopped = threading.Event()
    with step(reporter, f"check {what} against the cluster"), interrupts_at_the_end(stopped.set):
        world, planned, notes = check(
            kube,
            [by_name[name] for name in order],
            namespace,
            strategy=strategy,
            take_over=take_over,
            stop=stopped.is_set,
        )
    for note in notes:
        reporter.note(note)
    changes = {one.content.service.name: one.changes for one in planned}
    if dry_run:
        return tuple(Applied(one.name, namespace, changes[one.name]) for one in services)
    going = {one.content.service.name: rollout_of(world, one) for one in planned}
    del planned  # each rollout lets go of its own when it ends
    settings = Settings(timeout_s, take_over, rollback)
    Engine(kube, namespace, list(going.values()), settings, reporter, world.addresses).run()
    if len(going) == 1:
        _refuse(going[services[0].name])
    urls = _urls(kube, namespace, list(going))
    if len(services) == 1:
        _try_port(urls.get(services[0].name, ()), reporter)
    return tuple(_applied(going[one.name], namespace, changes[one.name], urls.get(one.name, ())) for one in services)


def rollout_of(world: World, planned: Planned) -> Rollout:
    """Return the rollout that carries out a plan."""
    service = planned.content.service
    records = Records(world.kube, world.namespace)
    aim = _aim(planned.strategy)
    idle = not planned.changed and planned.known is not None and planned.known.state == aim and len(planned.stages) == 1

    def begin() -> Revision:
        if planned.known is None:
            revision = records.begin(planned.number, planned.content, planned.strategy)
        elif planned.known.state == "good":
            revision = planned.known  # somebody changed what it made: it comes back, and was ready before
        else:
            revision = records.tell(planned.known, "rolling out")
        for other in planned.others:
            records.tell(other, "superseded")
        return revision

    return Rollout(
        service.name,
        planned.stages,
        planned.known if idle else None,
        running=planned.running,
        aim=aim,
        depends_on=service.depends_on,
        begin=begin,
        known=world.revisions.get(service.name, ()),
        told=", ".join(f"{one.kind} {one.name} {one.action}" for one in planned.changes if one.differs),
        idle=idle,
    )


def carry_through(
    world: World, rollout: Rollout, reporter: Reporter, settings: Settings, changes: tuple[Change, ...] = ()
) -> Applied:
    """Carry out one rollout, and return what became of it.

    Raises:
        ForbiddenError: the user may not.
        UnreachableError: the API server was away for too long.
    """
    Engine(world.kube, world.namespace, [rollout], settings, reporter, world.addresses).run()
    _refuse(rollout)
    urls = _urls(world.kube, world.namespace, [rollout.name])
    return _applied(rollout, world.namespace, changes, urls.get(rollout.name, ()))


def succeeded(applied: Applied) -> Applied:
    """Return it if nothing went wrong.

    Raises:
        RolloutError: what went wrong.
    """
    if applied.error is not None:
        raise applied.error
    return applied


def _refuse(rollout: Rollout) -> None:
    if isinstance(rollout.error, ForbiddenError | UnreachableError | BusyError):
        raise rollout.error


def _aim(strategy: Strategy) -> RevisionState:
    return "good" if strategy.way == "rolling" else "on trial"


def _applied(rollout: Rollout, namespace: str, changes: tuple[Change, ...], urls: tuple[str, ...]) -> Applied:
    number = rollout.revision.number if rollout.revision else 0
    problem, remedy = "", ""
    if rollout.error is not None:
        problem, remedy = rollout.error.message, rollout.error.remedy
        if rollout.outcome == "rolled back" and rollout.running is not None:
            problem += f"\nit was taken back: revision {rollout.running.number} runs again"
    return Applied(rollout.name, namespace, changes, rollout.outcome, number, urls, rollout.qos, problem, remedy)


def _urls(kube: Kube, namespace: str, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    labels = MANAGED | ({INVENTORY_LABEL: names[0]} if len(names) == 1 else {})
    found: dict[str, list[ServiceState]] = {}
    for item in kube.find(SERVICE, namespace, labels=labels):
        state = ServiceState.model_validate(item)
        found.setdefault(state.metadata.labels.get(INVENTORY_LABEL, ""), []).append(state)
    return {name: service_urls(published) for name, published in found.items()}


def _try_port(urls: Sequence[str], reporter: Reporter) -> None:
    """Wait a moment for the first TCP port: nodes learn of a published port a little later than the pod is ready."""
    url = next((url for url in urls if url.startswith("http://")), None)
    if url is None:
        return
    where = urlsplit(url)
    if not answers(where.hostname or "", where.port or 0, _PORT_S):
        reporter.note(
            f"{url} does not answer this machine within {_PORT_S:g} s, another one may have an answer"
            " -> look at routes and firewalls on the way, and whether the container listens on that port"
        )
