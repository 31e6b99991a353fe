"""`gedge operators`: what operators that own network cards are told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gedge_provision import provisioning
from gedge_provision.cli import _ui
from gedge_provision.cli.site import SiteOption

__all__ = ["operators"]


def operators(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the files.", show_default=False)],
    site: SiteOption,
    output: _ui.OutputOption = _ui.Output.TEXT,
) -> None:
    """Write documents for the operators that own network cards (owner: operator); needs no cluster."""
    written = provisioning.write_operator_documents(site, folder)
    if output is _ui.Output.JSON:
        _ui.print_json([str(path) for path in written])
    else:
        for path in written:
            typer.echo(path)
