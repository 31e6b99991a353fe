"""Reading the catalog."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from gedge_provision.adapters.files import read_document
from gedge_provision.models.catalog import Catalog
from gedge_provision.models.documents import validate

__all__ = ["CATALOG", "load_catalog"]

CATALOG = Path(__file__).resolve().parent.parent / "data" / "catalog.yml"


@cache
def load_catalog() -> Catalog:
    """Read and check the catalog.

    Raises:
        DocumentError: with every finding.
    """
    return validate(read_document(CATALOG), Catalog)
