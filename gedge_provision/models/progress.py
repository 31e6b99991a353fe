"""How long work tells what it does: a protocol that the command line renders and the Python API may implement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

__all__ = ["SILENT", "WAITS", "Outcome", "Reporter", "SilentReporter", "step"]

WAITS = "waits: "
"""How a line begins by which a task of a playbook tells, while it runs, what it waits for."""

Outcome = Literal["done", "to do", "unchanged", "cut off", "failed", "skipped"]
"""How a step ended: `to do` is one of a plan that would change something, `cut off` one that was interrupted."""


class Reporter(Protocol):
    """Receives the progress of long work. A step is named by its text; steps may run side by side."""

    def start(self, name: str) -> None:
        """A step begins."""

    def update(self, name: str, detail: str) -> None:
        """What a running step does or waits for, in a few words."""

    def finish(self, name: str, outcome: Outcome = "done", detail: str = "") -> None:
        """A step ends."""

    def note(self, text: str) -> None:
        """A notice for the user (a rounding, an alias, a skipped thing)."""


class SilentReporter:
    """A reporter for callers that do not watch."""

    def start(self, name: str) -> None:
        """Ignore."""

    def update(self, name: str, detail: str) -> None:
        """Ignore."""

    def finish(self, name: str, outcome: Outcome = "done", detail: str = "") -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""


SILENT = SilentReporter()
"""The reporter of callers that name none."""


@contextmanager
def step(reporter: Reporter, name: str) -> Iterator[None]:
    """Report `name` as started, then as done, or as failed when the body raises."""
    reporter.start(name)
    try:
        yield
    except BaseException:
        reporter.finish(name, "failed")
        raise
    reporter.finish(name)
