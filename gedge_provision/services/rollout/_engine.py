"""Rollouts under way: each sends its stages, waits until they are ready, and goes back when they do not get there."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from threading import Event

from gedge_provision.adapters.interrupts import interrupts_at_the_end
from gedge_provision.adapters.kube import BusyError, Kube, KubeError, UnreachableError
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.progress import Reporter
from gedge_provision.planning import rollouts
from gedge_provision.planning.manifests import REVISION
from gedge_provision.planning.readiness import Readiness, Snapshot
from gedge_provision.services.records import Records
from gedge_provision.services.rollout._checks import AT_ONCE
from gedge_provision.services.rollout._failures import cut_off, not_ready, stuck
from gedge_provision.services.rollout._rollouts import Next, Outcome, Rollout, Settings
from gedge_provision.services.rollout._stages import carry_out
from gedge_provision.services.rollout._telling import Telling
from gedge_provision.services.rollout._world import back
from gedge_provision.services.status import observe_all

__all__ = ["Engine"]

_POLL_S = 1.0
_SHARE = 5  # looking takes a fifth of the time at most
_DETAILS_SHARE = 10
_SETTLE_S = 5.0  # kube-proxy takes changes of endpoints together for one second, and then writes its rules


class Engine:
    """Carries out rollouts, each from when those that it depends on are ready; how each ended is its `outcome`."""

    def __init__(  # noqa: PLR0913, PLR0917 - where, what and how
        self,
        kube: Kube,
        namespace: str,
        every: Sequence[Rollout],
        settings: Settings,
        reporter: Reporter,
        addresses: tuple[str, ...] | None,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._every = every
        self._by_name = {one.name: one for one in every}
        self._settings = settings
        self._telling = Telling(reporter, len(every))
        self._records = Records(kube, namespace)
        self._cut_off = Event()
        self._addresses = addresses
        self._ready_elsewhere: set[str] = set()
        self._advanced = self._heard = time.monotonic()
        self._next_look = self._next_details = 0.0

    def run(self) -> None:
        """Carry them out.

        Raises:
            KeyboardInterrupt: ^C; what was sent goes on in the cluster.
        """
        for one in self._every:
            one.since = time.monotonic()
        try:
            with interrupts_at_the_end(self._cut_off.set), ThreadPoolExecutor(AT_ONCE) as pool:
                self._pool = pool
                while not self._cut_off.is_set() and self._step():
                    pass
        except KeyboardInterrupt:
            self._telling.interrupted([one.name for one in self._open()])
            raise

    def _step(self) -> bool:
        """Do what can be done now; return whether anything is left to do."""
        for one in self._open():
            if one.busy is not None and one.busy.done():
                self._go_on(one, one.busy)
            elif one.settled_at:
                if time.monotonic() >= one.settled_at:
                    one.settled_at = 0
                    self._arrived(one)
            elif one.busy is None and not one.waiting:
                self._maybe_begin(one)
        if time.monotonic() >= self._next_look:
            self._look()
        self._telling.counts()
        left = self._open()
        if not left:
            return False
        pause = max(0.0, self._next_look - time.monotonic())
        futures = [one.busy for one in left if one.busy is not None]
        if futures:
            wait(futures, timeout=min(pause, _POLL_S), return_when=FIRST_COMPLETED)
        else:
            self._cut_off.wait(pause)
        return True

    def _open(self) -> list[Rollout]:
        return [one for one in self._every if not one.outcome]

    def _submit(self, one: Rollout, work: Callable[[], Next]) -> None:
        one.waiting = False
        one.busy = self._pool.submit(work)

    def _go_on(self, one: Rollout, ended: Future[Next]) -> None:
        one.busy = None
        error = ended.exception()
        if self._cut_off.is_set():
            return
        if error is None:
            ended.result()()
        elif isinstance(error, GedgeError):
            self._telling.failed(one.name)
            self._fail(one, lambda: error)
        else:
            raise error

    def _maybe_begin(self, one: Rollout) -> None:
        for name in one.depends_on:
            other = self._by_name.get(name)
            if other is not None and other.outcome not in {"", "ready"}:
                one.error = self._error(
                    one,
                    f"not begun: it depends on {name}, which is not ready ({other.outcome})",
                    f"mend {name}, then apply again",
                )
                self._end(one, "not begun")
                return
            if not (other.outcome == "ready" if other else name in self._ready_elsewhere):
                return
        self._telling.sends(one.name)
        if one.idle:
            self._telling.sent(one.name, "unchanged", "")
            self._wait_for(one)
        else:
            self._send(one)

    def _send(self, one: Rollout) -> None:
        def work() -> Next:
            if one.revision is None and one.begin is not None:
                one.revision = one.begin()
            carry_out(
                self._kube,
                self._namespace,
                one.stage,
                self._addresses,
                take_over=self._settings.take_over and not one.going_back,
                stop=self._cut_off.is_set,
            )
            return sent

        def sent() -> None:
            if one.position == 0:
                self._telling.sent(one.name, "done", one.told)
            self._wait_for(one)

        self._submit(one, work)

    def _wait_for(self, one: Rollout) -> None:
        if one.stage.settles:
            one.settled_at = time.monotonic() + _SETTLE_S
            return
        if not one.stage.waits:
            self._arrived(one)
            return
        one.waiting, one.since, one.progress, one.seen = True, time.monotonic(), None, {}
        self._next_look = min(self._next_look, one.since)
        self._telling.waits(one.name)

    def _arrived(self, one: Rollout) -> None:
        if one.position + 1 < len(one.stages):
            one.position += 1
            self._send(one)
            return
        outcome: Outcome = "rolled back" if one.going_back else "on trial" if one.aim == "on trial" else "ready"

        def work() -> Next:
            if one.revision is not None and one.going_back:
                self._records.tell(one.revision, "failed", one.error.message if one.error else one.revision.reason)
            elif one.revision is not None and one.revision.state != one.aim:
                one.revision = self._records.tell(one.revision, one.aim)
                kept = {old.number: old for old in one.known} | {one.revision.number: one.revision}
                self._records.forget(rollouts.surplus(list(kept.values())))
            return lambda: self._end(one, outcome)

        if one.revision is None or (one.revision.state == one.aim and not one.going_back):
            self._end(one, outcome)
        else:
            self._submit(one, work)

    def _end(self, one: Rollout, outcome: Outcome) -> None:
        one.outcome, one.waiting = outcome, False
        self._advanced = time.monotonic()
        self._telling.ended(one.name, outcome, one.detail)
        one.forget()

    def _look(self) -> None:
        waiting = [one for one in self._open() if one.waiting]
        outside = {
            name
            for one in self._open()
            if not one.waiting and one.busy is None
            for name in one.depends_on
            if name not in self._by_name and name not in self._ready_elsewhere
        }
        names = {name for one in waiting for name in one.stage.waits} | outside
        if not names:
            self._next_look = time.monotonic() + _POLL_S
            return
        began = time.monotonic()
        # Of one service all is asked for each time: its QoS is told, which only its pods say.
        details = len(names) == 1 or began >= self._next_details or any(self._is_over(one) for one in waiting)
        try:
            seen = observe_all(self._kube, self._namespace, names, details=details)
        except (UnreachableError, BusyError) as error:
            self._next_look = time.monotonic() + _POLL_S
            if began - self._heard > self._settings.timeout_s:
                for one in waiting:
                    self._give_up(one, error)
            return
        ended = self._heard = time.monotonic()
        self._next_look = began + max(_POLL_S, _SHARE * (ended - began))
        if details:
            self._next_details = began + _DETAILS_SHARE * (ended - began)
        self._ready_elsewhere |= {name for name in outside if name in seen and seen[name][1].ready}
        for one in waiting:
            self._judge(one, {name: seen[name] for name in one.stage.waits if name in seen}, details=details)
        self._judge_outside(outside, seen)

    def _judge(self, one: Rollout, seen: dict[str, tuple[Snapshot, Readiness]], *, details: bool) -> None:
        missing = [
            name
            for name in one.stage.waits
            if name not in seen or seen[name][0].deployment.metadata.deletion_timestamp is not None
        ]
        if missing:
            one.error = self._error(one, f"{missing[0]} was deleted meanwhile", "apply it again if it is still wanted")
            self._end(one, "failed")
            return
        if self._is_superseded(one, seen) or self._is_paused(one, seen):
            return
        one.seen = seen
        late = [readiness for _, readiness in seen.values() if not readiness.ready]
        if not late:
            pods = [pod for snapshot, _ in seen.values() for pod in snapshot.pods]
            one.qos = tuple(sorted({pod.status.qos_class for pod in pods if not pod.metadata.deletion_timestamp}))
            self._arrived(one)
            return
        keeps = late[0].trouble.message.splitlines()[0] if late[0].trouble else ""
        self._telling.waiting(one.name, late[0].detail, keeps)
        self._note_progress(one)
        trouble = next((readiness.trouble for readiness in late if readiness.trouble), None)
        if (trouble is not None and trouble.final) or (details and self._is_over(one)):
            limit = self._settings.timeout_s
            self._fail(one, lambda: not_ready(self._kube, self._place(one), late[0], trouble, limit))

    def _note_progress(self, one: Rollout) -> None:
        """Restart the clock of a service that got ahead, or that the cluster has not come to while others did."""
        controllers = [snapshot.deployment for snapshot, _ in one.seen.values()]
        progress = [
            (
                item.status.observed_generation >= item.metadata.generation,
                item.status.updated_replicas,
                item.status.available_replicas,
            )
            for item in controllers
        ]
        if progress != one.progress:
            one.progress, one.since = progress, time.monotonic()
            self._advanced = one.since
        elif any(item.status.updated_replicas == 0 for item in controllers):
            one.since = max(one.since, self._advanced)

    def _is_over(self, one: Rollout) -> bool:
        return time.monotonic() - one.since >= self._settings.timeout_s

    def _is_superseded(self, one: Rollout, seen: dict[str, tuple[Snapshot, Readiness]]) -> bool:
        for name, number in one.expected().items():
            if name not in seen:
                continue
            found = seen[name][0].deployment.metadata.annotations.get(REVISION, number)
            if found != number:
                told = f"revision {found} took the place of revision {number} meanwhile"
                one.error = self._error(one, told, f"see gedge service history {one.name}")
                self._end(one, "superseded")
                return True
        return False

    def _is_paused(self, one: Rollout, seen: dict[str, tuple[Snapshot, Readiness]]) -> bool:
        if not any(snapshot.deployment.paused and not readiness.ready for snapshot, readiness in seen.values()):
            return False
        one.error = self._error(one, "its rollout is paused", f"gedge service resume {one.name} goes on with it")
        self._end(one, "paused")
        return True

    def _judge_outside(self, outside: Collection[str], seen: dict[str, tuple[Snapshot, Readiness]]) -> None:
        for one in self._open():
            late = [name for name in one.depends_on if name in outside and name not in self._ready_elsewhere]
            if late and not one.waiting and one.busy is None and self._is_over(one):
                detail = seen[late[0]][1].detail if late[0] in seen else "it is not there"
                limit = f"{self._settings.timeout_s:g} s"
                one.error = self._error(
                    one,
                    f"not begun: it depends on {late[0]}, which is not ready after {limit}: {detail}",
                    f"gedge service status {late[0]} tells what keeps it",
                )
                self._end(one, "not begun")

    def _fail(self, one: Rollout, reason: Callable[[], GedgeError]) -> None:
        """A rollout failed: go back to what ran, where there is something and it is wanted."""

        def work() -> Next:
            error = reason()
            if isinstance(error, UnreachableError | BusyError):
                return lambda: self._give_up(one, error)
            if one.going_back:
                return lambda: self._stuck(one, error)
            try:
                return self._way_back(one, error)
            except KubeError as second:
                return partial(self._stuck, one, second, error)

        self._submit(one, work)

    def _way_back(self, one: Rollout, error: GedgeError) -> Next:
        """Return what follows a failure; called in a thread."""
        one.error = error
        revision, running = one.revision, one.running
        if revision is None:
            return lambda: self._end(one, "failed")
        newest = self._records.of([one.name]).get(one.name, (revision,))[-1]
        if newest.number > revision.number:
            return lambda: self._end(one, "superseded")
        if running is None or running.number == revision.number or not self._settings.rollback:
            if revision.state != "good":
                self._records.tell(revision, "failed", error.message)
            return lambda: self._end(one, "failed")
        one.revision = self._records.tell(revision, "going back", error.message)
        stages = back(self._kube, self._namespace, self._records.content(running), running.number)

        def go_back() -> None:
            one.stages, one.position, one.going_back = stages, 0, True
            one.told = f"revision {running.number} again"
            self._telling.goes_back(one.name, running.number)
            self._send(one)

        return go_back

    def _stuck(self, one: Rollout, error: GedgeError, first: GedgeError | None = None) -> None:
        """What ran before does not come back."""
        one.error = stuck(self._place(one), first or one.error or error, error)
        self._end(one, "failed")

    def _give_up(self, one: Rollout, error: KubeError) -> None:
        one.error = cut_off(one.name, error)
        self._end(one, "failed")

    def _error(self, one: Rollout, message: str, remedy: str) -> GedgeError:
        return GedgeError(message, place=self._place(one), remedy=remedy)

    def _place(self, one: Rollout) -> str:
        return f"{self._namespace}/{one.name}"
