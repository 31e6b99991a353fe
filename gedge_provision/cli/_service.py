"""Options that the verbs on service documents share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["FileArgument", "PlainOption", "TemplateOption"]

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
