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
    builds = [artifact.build for artifact in catalog.artifacts if artifact.build]
    names = {build.program: build.library for build in builds if build.program}
    return Sources(
        go.read_modules(content / "gobuild", catalog.products),
        programs.read_programs(content / "programs", dict(sorted(names.items()))),
    )
