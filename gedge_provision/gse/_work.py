"""Rollouts and deletions that go on after their answer: each in a thread, with its caller's token in memory only."""

from __future__ import annotations

import logging
import threading
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

    def __init__(self, most: int, metrics: Metrics) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._most = most
        self._metrics = metrics

    def begin(self, run: Callable[[Reporter], T], linger_s: float, *, at_once: bool = False) -> T | None:
        """Begin work; return its result if it ends in time, else None: it goes on.

        Args:
            run: the work; it gets the reporter that it is to tell.
            linger_s: seconds to wait for its end after it has sent something.
            at_once: do not wait until it has sent something; else that is waited for, but not for ever: a service may
                wait for another one first.

        Raises:
            ProblemError: too much is under way.
            GedgeError: what the work raised before it had sent anything, or while it was waited for.
        """
        if not self._free.acquire(blocking=False):
            raise ProblemError("too-busy", f"{self._most} rollouts are under way here")
        begun: _Begun[T] = _Begun()
        threading.Thread(target=self._carry_out, args=(run, begun), name="rollout", daemon=True).start()
        if not at_once:
            begun.sent.wait(_PATIENCE_S)
        begun.ended.wait(linger_s)
        begun.answered = not begun.ended.is_set()
        if begun.answered:
            return None
        if begun.error is not None:
            raise begun.error
        return begun.result

    def _carry_out(self, run: Callable[[Reporter], T], begun: _Begun[T]) -> None:
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
            self._free.release()
            begun.ended.set()
            begun.sent.set()
