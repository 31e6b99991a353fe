"""Rollouts and deletions that go on after their answer: each in a thread, with its caller's token in memory only."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

from gedge_provision.gse._metrics import Metrics
from gedge_provision.gse._problems import ProblemError
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.progress import Outcome, Reporter, SilentReporter
from gedge_provision.services import says_sent

__all__ = ["Work"]

log = logging.getLogger("gedge.gse")

T = TypeVar("T")

_PATIENCE_S = 20.0


class _Begun(Generic[T]):
    """Work that has begun, and how it ended once it has."""

    def __init__(self) -> None:
        self.result: T | None = None
        self.error: BaseException | None = None
        self.ended = threading.Event()
        self.sent = threading.Event()
        self.answered = False


class _Listener(SilentReporter):
    """Hears when the first object has been sent: nothing is refused any more from then on."""

    def __init__(self, sent: threading.Event) -> None:
        self._sent = sent

    def start(self, name: str) -> None:
        if says_sent(name, ended=False):
            self._sent.set()

    def finish(self, name: str, outcome: Outcome = "done", detail: str = "") -> None:  # noqa: ARG002 - Reporter's
        if says_sent(name, ended=True) and outcome != "failed":
            self._sent.set()


class Work:
    """Carries work out beside the requests; if the server ends, what was sent goes on, and can be resumed."""

    def __init__(self, most: int, most_each: int, metrics: Metrics) -> None:
        self._most, self._most_each = most, most_each
        self._metrics = metrics
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()

    def begin(self, run: Callable[[Reporter], T], caller: str, linger_s: float, *, at_once: bool = False) -> T | None:
        """Begin work; return its result if it ends in time, else None: it goes on.

        Args:
            run: the work; it gets the reporter that it is to tell.
            caller: whose it is.
            linger_s: seconds to wait for its end after it has sent something.
            at_once: do not wait until it has sent something; else that is waited for, but not for ever: a service may
                wait for another one first.

        Raises:
            ProblemError: too much is under way, of the caller or of all.
            GedgeError: what the work raised before it had sent anything, or while it was waited for.
        """
        with self._lock:
            if self._under_way[caller] >= self._most_each:
                raise ProblemError("too-many-requests", f"{self._most_each} rollouts of this caller are under way here")
            if self._under_way.total() >= self._most:
                raise ProblemError("too-busy", f"{self._most} rollouts are under way here")
            self._under_way[caller] += 1
        begun: _Begun[T] = _Begun()
        threading.Thread(target=self._carry_out, args=(run, caller, begun), name="rollout", daemon=True).start()
        if not at_once:
            begun.sent.wait(_PATIENCE_S)
        begun.ended.wait(linger_s)
        begun.answered = not begun.ended.is_set()
        if begun.answered:
            return None
        if begun.error is not None:
            raise begun.error
        return begun.result

    def _carry_out(self, run: Callable[[Reporter], T], caller: str, begun: _Begun[T]) -> None:
        self._metrics.rollouts.inc()
        try:
            begun.result = run(_Listener(begun.sent))
        except GedgeError as error:
            begun.error = error
            if begun.answered:
                # The cluster keeps what became of a rollout, and why: words that may be a container's are in no log.
                log.warning("what went on after its answer failed: %s (%s)", error.place, type(error).__name__)
        except BaseException as error:
            begun.error = error
            if begun.answered:
                raise
        finally:
            self._metrics.rollouts.dec()
            with self._lock:
                self._under_way[caller] -= 1
                self._under_way += Counter()  # callers of whom nothing is under way go
            begun.ended.set()
            begun.sent.set()
