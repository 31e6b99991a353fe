"""What is done with a service after it was applied: rollouts that go back, on, or begin anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from gedge_provision.adapters.kube import Kube
from gedge_provision.models.cluster import CONTROLLER_KINDS, STATEFUL_SET, DeploymentState, Manifest
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.progress import SILENT, Reporter, step
from gedge_provision.models.rollouts import Revision, Strategy
from gedge_provision.planning import rollouts
from gedge_provision.services.records import Records
from gedge_provision.services.rollout._apply import Applied, apply_service, carry_through, rollout_of, succeeded
from gedge_provision.services.rollout._checks import begin_trial, plan
from gedge_provision.services.rollout._history import kept_revisions, numbered, running_service
from gedge_provision.services.rollout._rollouts import Rollout, Settings
from gedge_provision.services.rollout._stages import Stage, replace_all, trial_ends
from gedge_provision.services.rollout._world import World, back
from gedge_provision.services.scaling import check_scale
from gedge_provision.services.status import observe

__all__ = [
    "pause_service",
    "promote_service",
    "restart_service",
    "resume_service",
    "rollback_service",
    "scale_service",
]

_PAUSE, _RESTART = "gedge-pause", "gedge-restart"
"""Field managers of their own: applying the document again neither undoes nor meets what they set."""

_RESTARTED = "gedge.dev/restarted-at"
_TAKEN_BACK = "taken back by hand"


def rollback_service(  # noqa: PLR0913 - what, where, to what and how long
    kube: Kube,
    name: str,
    namespace: str = "default",
    reporter: Reporter = SILENT,
    *,
    to: int | None = None,
    timeout_s: float = 120,
    take_over: bool = False,
) -> Applied:
    """Bring an earlier revision of a service back, as a new one, and wait until it is ready.

    A trial, or a rollout that was not finished, is taken back when no number is given.

    Args:
        kube: the cluster.
        name: the service.
        namespace: where it is.
        reporter: receives the progress.
        to: the number of the revision; the last good one before what runs if left out.
        timeout_s: seconds without any headway after which it has failed.
        take_over: overwrite what other field managers own.

    Raises:
        NotFoundError: there is no such service.
        UsageError: there is no such revision, or it runs already.
        GedgeError: it does not get ready.
    """
    records = Records(kube, namespace)
    revisions = kept_revisions(records, name, namespace)
    running, newest = rollouts.current(revisions), revisions[-1]
    settings = Settings(timeout_s, take_over)
    if to is None and running is not None and newest.number > running.number and newest.state not in _ENDED:
        with step(reporter, f"check {name} against the cluster"):
            world = World.read(kube, namespace, [name])
        rollout = _backwards(world, newest, running, lambda: records.tell(newest, "going back", _TAKEN_BACK))
        applied = carry_through(world, rollout, reporter, settings)
        return applied if applied.state == "rolled back" and rollout.error is None else succeeded(applied)
    target = numbered(revisions, to, name) if to is not None else rollouts.before(revisions)
    if target is None:
        raise UsageError(
            "there is no good revision before the one that runs",
            place=f"{namespace}/{name}",
            remedy=f"see gedge service history {name}, and choose one: --to NUMBER",
        )
    with step(reporter, f"check {name} against the cluster"):
        content = records.content(target)
        ports = any(port.external_port for one in content.service.containers for port in one.ports)
        world = World.read(kube, namespace, [name], ports=ports)
        planned = plan(world, content, Strategy(), take_over=take_over)
    return succeeded(carry_through(world, rollout_of(world, planned), reporter, settings, planned.changes))


_ENDED = {"failed", "superseded", "good"}


def promote_service(
    kube: Kube, name: str, namespace: str = "default", reporter: Reporter = SILENT, *, timeout_s: float = 120
) -> Applied:
    """Let the revision on trial take the place of the one that runs, and wait until it is ready.

    Raises:
        NotFoundError: there is no such service.
        UsageError: no revision is on trial.
        GedgeError: it does not get ready; the one that ran is back then.
    """
    records = Records(kube, namespace)
    newest = kept_revisions(records, name, namespace)[-1]
    if newest.state not in {"on trial", "promoting"}:
        raise UsageError(
            f"no revision is on trial: the newest, {newest.number}, is {newest.state}",
            place=f"{namespace}/{name}",
            remedy="begin one: gedge service apply FILE --canary PERCENT, or --blue-green",
        )
    with step(reporter, f"check {name} against the cluster"):
        world = World.read(kube, namespace, [name])
    rollout = _promotion(world, newest)
    return succeeded(carry_through(world, rollout, reporter, Settings(timeout_s)))


def resume_service(
    kube: Kube, name: str, namespace: str = "default", reporter: Reporter = SILENT, *, timeout_s: float = 120
) -> Applied:
    """Go on with a rollout that was paused, or whose `gedge` was ended in the middle.

    Raises:
        NotFoundError: there is no such service.
        GedgeError: it does not get ready; says whether it was taken back.
    """
    records = Records(kube, namespace)
    deployment = observe(kube, namespace, name)[0].deployment
    if deployment.paused:
        kube.apply(_part(deployment, name, namespace, {}), manager=_PAUSE)
    with step(reporter, f"check {name} against the cluster"):
        world = World.read(kube, namespace, [name])
        revisions = world.revisions.get(name, ())
        rollout = _continued(world, records, revisions, name)
    return succeeded(carry_through(world, rollout, reporter, Settings(timeout_s)))


def scale_service(  # noqa: PLR0913 - what, where, to what and how long
    kube: Kube,
    name: str,
    replicas: int,
    namespace: str = "default",
    reporter: Reporter = SILENT,
    *,
    timeout_s: float = 120,
) -> Applied:
    """Give a service another number of pods, as a new revision, and wait until it is ready.

    Raises:
        NotFoundError: there is no such service.
        NotFittingError: not all of them fit beside what runs; nothing was changed.
        UsageError: none of its revisions was ever ready, or one is on trial.
        GedgeError: it scales by itself, or does not get ready; it is taken back then.
    """
    newest = kept_revisions(Records(kube, namespace), name, namespace)[-1]
    if newest.state == "on trial":
        raise UsageError(
            f"revision {newest.number} is on trial as {newest.strategy}",
            place=f"{namespace}/{name}",
            remedy=f"end that first: gedge service promote {name}, or gedge service rollback {name}",
        )
    service = running_service(kube, name, namespace)
    check_scale(kube, service, namespace, replicas)
    changed = service.model_copy(update={"replicas": replicas})
    return apply_service(kube, changed, namespace, reporter, timeout_s=timeout_s)


def pause_service(kube: Kube, name: str, namespace: str = "default") -> bool:
    """Hold back any change of a service's pods until `resume_service`; return whether it was not paused before.

    Pods that are made already stay, and one that ends is replaced.

    Raises:
        NotFoundError: there is no such service.
    """
    deployment = observe(kube, namespace, name)[0].deployment
    if deployment.paused:
        return False
    held: Manifest = {"paused": True}
    if deployment.kind == STATEFUL_SET.name:
        held = {"updateStrategy": {"rollingUpdate": {"partition": deployment.spec.replicas}}}
    kube.apply(_part(deployment, name, namespace, held), manager=_PAUSE, take_over=True)
    return True


def restart_service(
    kube: Kube, name: str, namespace: str = "default", reporter: Reporter = SILENT, *, timeout_s: float = 120
) -> Applied:
    """Replace the pods of a service by new ones of the same revision, in the way of its updates.

    Raises:
        NotFoundError: there is no such service.
        GedgeError: its rollout is paused, or it does not get ready.
    """
    deployment = observe(kube, namespace, name)[0].deployment
    if deployment.paused:
        raise GedgeError(
            "its rollout is paused", place=f"{namespace}/{name}", remedy=f"gedge service resume {name} first"
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    fields = {"template": {"metadata": {"annotations": {_RESTARTED: now}}}}
    with step(reporter, f"restart {name}"):
        world = World.read(kube, namespace, [name])
        kube.apply(_part(deployment, name, namespace, fields), manager=_RESTART)
    rollout = Rollout(name, [Stage(waits=(name,))], None, idle=True)
    return succeeded(carry_through(world, rollout, reporter, Settings(timeout_s, rollback=False)))


def _continued(world: World, records: Records, revisions: tuple[Revision, ...], name: str) -> Rollout:
    newest = revisions[-1] if revisions else None
    running = rollouts.current(revisions)
    if newest is None or not newest.unfinished:
        return Rollout(name, [Stage(waits=(name,))], None, idle=True)
    if newest.state == "promoting":
        return _promotion(world, newest)
    if newest.state == "going back" and running is not None:
        return _backwards(world, newest, running, lambda: newest, GedgeError(newest.reason))
    content = records.content(newest)
    if newest.strategy.way == "rolling":
        stages = replace_all(content, newest.number, world.own(name), world.trial(name))
    else:
        _, stages = begin_trial(world, content, newest.strategy, newest.number)
    return Rollout(
        name,
        stages,
        newest,
        running=running,
        aim="good" if newest.strategy.way == "rolling" else "on trial",
        known=revisions,
        told=f"revision {newest.number}",
    )


def _promotion(world: World, newest: Revision) -> Rollout:
    records = Records(world.kube, world.namespace)
    name = newest.service
    content = records.content(newest)
    revisions = world.revisions.get(name, ())
    return Rollout(
        name,
        trial_ends(content, newest.strategy, newest.number, world.own(name), world.trial(name)),
        None,
        running=rollouts.current(revisions),
        begin=partial(records.tell, newest, "promoting"),
        known=revisions,
        told=f"revision {newest.number}",
    )


def _backwards(
    world: World,
    newest: Revision,
    running: Revision,
    begin: Callable[[], Revision],
    error: GedgeError | None = None,
) -> Rollout:
    content = Records(world.kube, world.namespace).content(running)
    return Rollout(
        newest.service,
        back(world.kube, world.namespace, content, running.number),
        None,
        running=running,
        begin=begin,
        told=f"revision {running.number} again",
        going_back=True,
        error=error,
    )


def _part(deployment: DeploymentState, name: str, namespace: str, spec: Manifest) -> Manifest:
    """Return some fields of a controller, for a field manager that owns no others."""
    kind = CONTROLLER_KINDS[deployment.kind]
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
