"""Options that the verbs on service documents share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from gedge_provision import services
from gedge_provision.cli import _ui
from gedge_provision.cli._cluster import checked_name

__all__ = [
    "FileArgument",
    "NameArgument",
    "PlainOption",
    "TemplateOption",
    "TimeoutOption",
    "new_table",
    "print_applied",
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


def print_applied(applied: services.Applied) -> None:
    """Print how a service is, and where it is reached."""
    state = {"ready": "is ready", "on trial": "is on trial", "rolled back": "is back"}[applied.state]
    number = f", revision {applied.revision}" if applied.revision else ""
    qos = f" ({'/'.join(applied.qos)} QoS)" if applied.qos else ""
    _ui.console.print(f"{applied.name} {state}{'' if applied.changed else ', unchanged'}{number}{qos}", markup=False)
    for url in applied.urls:
        _ui.console.print(f"  {url}")


def new_table(*columns: str) -> Table:
    """Return a table without lines."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made
