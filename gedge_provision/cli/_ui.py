"""What every command shares: consoles, progress, JSON output, errors."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from threading import Lock
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from gedge_provision.models.errors import GedgeError
from gedge_provision.models.progress import Outcome, Reporter

__all__ = ["Output", "OutputOption", "console", "errors", "lines", "print_json", "progress", "show_error"]

# A pipe has no width: tables keep one line per row there, for grep and awk.
_PIPE_WIDTH = 1000
console = Console(
    highlight=False, emoji=False, soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else _PIPE_WIDTH
)
errors = Console(stderr=True, highlight=False, emoji=False, soft_wrap=not sys.stderr.isatty())

_SIGNS: dict[Outcome, tuple[str, str]] = {
    "done": ("done", "green"),
    "to do": ("to do", "yellow"),
    "unchanged": ("unchanged", "dim"),
    "cut off": ("cut off", "yellow"),
    "failed": ("FAILED", "red"),
    "skipped": ("skipped", "yellow"),
}


class Output(StrEnum):
    """How a command prints its answer."""

    TEXT = "text"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="text for people, json for scripts.")]


def print_json(value: Any) -> None:  # noqa: ANN401 - anything that json takes
    """Print a value as indented JSON on standard output."""
    typer.echo(json.dumps(value, indent=2, sort_keys=True, default=str))


def show_error(error: GedgeError) -> None:
    """Print an error with its place and remedy on standard error."""
    errors.print(Text("error: ", style="bold red"), Text(str(error)), sep="")


class _Lines:
    """Plain lines for a pipe or a log: one when a step ends."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._lock = Lock()

    def start(self, name: str) -> None:
        with self._lock:
            self._began[name] = time.monotonic()

    def update(self, name: str, detail: str) -> None:
        pass

    def finish(self, name: str, outcome: Outcome = "done", detail: str = "") -> None:
        with self._lock:
            elapsed = time.monotonic() - self._began.pop(name, time.monotonic())
        errors.print(_line(name, outcome, elapsed, detail))

    def note(self, text: str) -> None:
        errors.print(Text(f"  note: {text}", style="yellow"))


class _Terminal(_Lines):
    """Finished steps scroll up, running steps keep a spinner, their elapsed time and what they wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._details: dict[str, str] = {}
        self._spinner = Spinner("dots")

    def update(self, name: str, detail: str) -> None:
        with self._lock:
            self._details[name] = detail

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 1))
        now = time.monotonic()
        with self._lock:
            for name, began in self._began.items():
                table.add_row(
                    self._spinner, name, f"{now - began:.0f} s", Text(self._details.get(name, ""), style="dim")
                )
        return table


def _line(name: str, outcome: Outcome, elapsed: float, detail: str) -> Text:
    word, style = _SIGNS[outcome]
    return Text.assemble(
        (f"{word:>9}", style), f"  {name}  ", (f"{elapsed:.1f} s", "dim"), f"  {detail}" * bool(detail)
    )


def lines() -> Reporter:
    """Return a reporter of plain lines, also on a terminal: for commands that print answers while they run."""
    return _Lines()


@contextmanager
def progress() -> Iterator[Reporter]:
    """Give a reporter that fits standard error: live on a terminal, plain lines elsewhere."""
    if not errors.is_terminal:
        yield _Lines()
        return
    terminal = _Terminal()
    with Live(terminal, console=errors, transient=True, refresh_per_second=8):
        yield terminal
