"""^C while threads are at work."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Timer

import pytest

from gedge_provision.adapters.interrupts import interrupts_at_the_end, sigterm_interrupts


@pytest.fixture(autouse=True)
def _a_terminal() -> Iterator[None]:
    """Have ^C raise KeyboardInterrupt, also in a worker of pytest-xdist, which ignores it."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def interrupt(after_s: float, number: signal.Signals = signal.SIGINT) -> Timer:
    timer = Timer(after_s, os.kill, (os.getpid(), number))
    timer.start()
    return timer


def test_work_in_threads_has_ended_before_the_interrupt_comes_out() -> None:
    cut_off, ended = Event(), Event()

    def work() -> None:
        cut_off.wait(20)
        time.sleep(0.3)  # what cannot be cut off: the second ^C falls into it
        ended.set()

    def wait_for_it() -> None:
        with interrupts_at_the_end(cut_off.set), ThreadPoolExecutor() as pool:
            pool.submit(work)

    timers = interrupt(0.2), interrupt(0.35)
    with pytest.raises(KeyboardInterrupt):
        wait_for_it()
    assert ended.is_set()
    assert cut_off.is_set()
    for timer in timers:
        timer.join()


def test_it_comes_out_instead_of_what_it_brought_about() -> None:
    def fail() -> None:
        with interrupts_at_the_end(lambda: None):
            signal.raise_signal(signal.SIGINT)
            raise ValueError("a program that the same ^C ended")

    with pytest.raises(KeyboardInterrupt):
        fail()


def test_sigterm_too_where_it_counts_as_an_interrupt() -> None:
    told: list[str] = []

    def go_on() -> None:
        with sigterm_interrupts(), interrupts_at_the_end(lambda: told.append("stop")):
            signal.raise_signal(signal.SIGTERM)
            told.append("went on")

    with pytest.raises(KeyboardInterrupt):
        go_on()
    assert told == ["stop", "went on"]


def test_without_an_interrupt_handlers_are_as_before() -> None:
    with interrupts_at_the_end(lambda: None):
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
