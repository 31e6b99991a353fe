"""Fetching artifacts from their official places."""

from __future__ import annotations

from collections.abc import Collection

from gedge_provision.adapters.store import Store
from gedge_provision.models.catalog import Artifact, Catalog
from gedge_provision.models.progress import Reporter

__all__ = ["fetch"]


def fetch(catalog: Catalog, artifacts: Collection[Artifact], store: Store, reporter: Reporter) -> None:
    """X."""
    raise NotImplementedError
