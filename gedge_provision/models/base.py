"""The base of every validated document."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Strict

__all__ = ["Boolean", "Document", "Integer"]

# pydantic alone takes true for 1, and "8" or 8.0 for 8.
Integer = Annotated[int, Strict()]
Boolean = Annotated[bool, Strict()]


class Document(BaseModel):
    """A frozen model that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
