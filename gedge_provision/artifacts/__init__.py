"""Building, verifying, packing and unpacking the artifacts that roles install."""

from __future__ import annotations

from gedge_provision.artifacts.build import BuildReport, build
from gedge_provision.artifacts.resolve import resolve

__all__ = ["BuildReport", "build", "resolve"]
