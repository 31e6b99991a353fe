"""Options of the verbs on services and meshes, and how both print."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from gedge_provision import services
from gedge_provision.cli import _ui
from gedge_provision.cli._cluster import checked_name
from gedge_provision.models.changes import Change

__all__ = [
    "FileArgument",
    "NameArgument",
    "PlainOption",
    "TemplateOption",
    "TimeoutOption",
    "new_table",
    "print_applied",
    "print_changes",
    "print_checked",
    "reachable_at",
]

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", callback=checked_name, help="The service's name.", show_default=False)
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=1, help="Seconds without any headway after which a service has failed.")
]

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Service document, YAML or JSON.", show_default=False)
]
PlainOption = Annotated[
    bool,
    typer.Option("--without-acceleration", help="Drop every acceleration block: no devices, no CPUs of its own."),
]
TemplateOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--template", metavar="FILE", help="A template; counts before those in the document's folder. Repeatable."
    ),
]


def print_applied(applied: services.Applied, *, unchanged: bool = False) -> None:
    """Print how a service is, and where it is reached; `unchanged` says that nothing was done."""
    state = {"ready": "is ready", "on trial": "is on trial", "rolled back": "is back"}[applied.state]
    number = f", revision {applied.revision}" if applied.revision else ""
    qos = f" ({'/'.join(applied.qos)} QoS)" if applied.qos else ""
    _ui.console.print(f"{applied.name} {state}{', unchanged' if unchanged else ''}{number}{qos}", markup=False)
    for url in applied.urls:
        _ui.console.print(f"  {url}")
    if applied.state == "on trial":
        _ui.console.print(f"  gedge service promote {applied.name} makes it what runs, rollback takes it back")


def new_table(*columns: str) -> Table:
    """Return a table without lines."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def print_changes(changes: Iterable[Change]) -> None:
    """Print what an apply would do."""
    for change in changes:
        _ui.console.print(f"would be {change.action}: {change.kind} {change.name}")


def print_checked(checked: Iterable[services.Checked]) -> None:
    """Print which documents are right, each with what its reader is told."""
    for one in checked:
        _ui.console.print(f"{one.file}: {one.kind} {one.name} is right", markup=False)
        for note in one.notes:
            _ui.console.print(f"  {note}", markup=False)


def reachable_at(urls: tuple[str, ...]) -> str:
    """Return in a few words where something is reachable."""
    return urls[0] + (f" and {len(urls) - 1} more" if len(urls) > 1 else "") if urls else "inside the cluster only"
