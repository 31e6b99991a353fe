"""Options of the verbs on services and meshes, and how both print."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from gedge_provision.cli import _ui
from gedge_provision.models.changes import Change
from gedge_provision.services import Checked

__all__ = [
    "FileArgument",
    "PlainOption",
    "TemplateOption",
    "TimeoutOption",
    "print_changes",
    "print_checked",
    "reachable_at",
    "table_of",
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
TimeoutOption = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait.")]


def print_checked(checked: Iterable[Checked]) -> None:
    """Print which documents are right, each with what its reader is told."""
    for one in checked:
        _ui.console.print(f"{one.file}: {one.kind} {one.name} is right", markup=False)
        for note in one.notes:
            _ui.console.print(f"  {note}", markup=False)


def print_changes(changes: Iterable[Change]) -> None:
    """Print what an apply would do."""
    for change in changes:
        _ui.console.print(f"would be {change.action}: {change.kind} {change.name}")


def table_of(*columns: str) -> Table:
    """Return an empty table with these headings."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def reachable_at(urls: tuple[str, ...]) -> str:
    """Return in a few words where something is reachable."""
    return urls[0] + (f" and {len(urls) - 1} more" if len(urls) > 1 else "") if urls else "inside the cluster only"
