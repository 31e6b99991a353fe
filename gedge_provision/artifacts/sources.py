"""What the repository itself contributes to artifacts: Go modules, programs of ours, modules of this package."""

from __future__ import annotations

from pathlib import Path

from gedge_provision.adapters import go, programs, python_modules
from gedge_provision.models.catalog import Catalog, Sources

__all__ = ["read_sources"]


def read_sources(catalog: Catalog, content: Path) -> Sources:
    """Read the Go modules, programs and Python modules that the catalog names.

    Args:
        catalog: what is wanted.
        content: the folder of gobuild/, programs/ and pybuild/.

    Raises:
        GedgeError: one is missing, as in an incomplete installation.
    """
    builds = [artifact.build for artifact in catalog.artifacts if artifact.build]
    names = {build.program: build.library for build in builds if build.program}
    modules = {build.module: build.requirements for build in builds if build.module and build.requirements}
    return Sources(
        go.read_modules(content / "gobuild", catalog.products),
        programs.read_programs(content / "programs", dict(sorted(names.items()))),
        python_modules.read_sources(content / "pybuild", modules),
    )
