"""Reading the catalog."""

from __future__ import annotations

from pathlib import Path

from gedge_provision.adapters.files import read_document
from gedge_provision.models.catalog import Catalog
from gedge_provision.models.documents import validate

__all__ = ["CATALOG", "load_catalog"]

CATALOG = Path(__file__).resolve().parent.parent / "data" / "catalog.yml"


def load_catalog(path: Path = CATALOG) -> Catalog:
    """Read and check the catalog.

    Raises:
        DocumentError: with every finding.
    """
    return validate(read_document(path), Catalog)
