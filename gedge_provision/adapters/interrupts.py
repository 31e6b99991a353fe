"""SIGTERM as ^C: work that cleans up after itself ends the same way for both."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["interrupts_at_the_end", "sigterm_interrupts"]


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt in the body; elsewhere than in the main thread signals stay as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


@contextmanager
def interrupts_at_the_end(tell: Callable[[], object]) -> Iterator[None]:
    """Let ^C call `tell` in the body and raise KeyboardInterrupt at its end, whatever else the body raises.

    For a body that waits for threads: an exception in the middle of Thread.join has Python take a thread for ended
    that is still at work (CPython issue 90882), and what cleans up then has it for a rival.

    Args:
        tell: lets the body end soon; called once per ^C, between two bytecodes of the main thread.
    """
    came = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        came = True
        tell()

    ours = (signal.default_int_handler, _interrupt)
    held = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    held = {number: handler for number, handler in held.items() if handler in ours}
    if threading.current_thread() is not threading.main_thread():
        held = {}
    for number in held:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        if came:
            raise KeyboardInterrupt


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
