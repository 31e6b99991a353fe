"""Loading a site file: the only way in."""

from __future__ import annotations

from pathlib import Path

from gedge_provision.adapters.files import read_document
from gedge_provision.models.documents import validate
from gedge_provision.models.site import Site
from gedge_provision.planning.site_checks import check_site

__all__ = ["load_site"]


def load_site(path: Path) -> Site:
    """Read and validate a site file.

    Raises:
        DocumentError: with every finding (file:line, field, remedy).
        UsageError: the file cannot be read.
    """
    return validate(read_document(path), Site, check_site)
