"""`gedge schema`: the JSON Schema of a document, for editors and other programs."""

from __future__ import annotations

from typing import Annotated

import typer

from gedge_provision.cli import _ui
from gedge_provision.models.schemas import DocumentKind, json_schema

__all__ = ["schema"]


def schema(kind: Annotated[DocumentKind, typer.Argument(help="The kind of document.", show_default=False)]) -> None:
    """Print the JSON Schema of a kind of document (the committed copies lie in docs/schema)."""
    _ui.print_json(json_schema(kind))
