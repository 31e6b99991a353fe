"""What the repository itself contributes to artifacts: Go modules, and programs of ours."""

from __future__ import annotations

from pathlib import Path

from gedge_provision.adapters import go, programs
from gedge_provision.models.catalog import Catalog, Sources

__all__ = ["read_sources"]


def read_sources(catalog: Catalog, content: Path) -> Sources:
    """Read the Go modules and programs that the catalog names.

    Args:
        catalog: what is wanted.
        content: the folder of gobuild/ and programs/.

    Raises:
        GedgeError: one is missing, as in an incomplete installation.
    """
    names = sorted({a.build.program for a in catalog.artifacts if a.build and a.build.program})
    return Sources(
        go.read_modules(content / "gobuild", catalog.products), programs.read_programs(content / "programs", names)
    )
