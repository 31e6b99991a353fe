"""The record of a site on this machine: one file in the site's folder, replaced as a whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pydantic

from gedge_provision.adapters.files import write_atomically
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.site_records import SiteRecord

__all__ = ["read_record", "remove_site", "write_record"]

_NAME = "record.json"


def read_record(folder: Path) -> SiteRecord:
    """Return the record in a site's folder; an empty one before its first run.

    Raises:
        GedgeError: it cannot be read.
    """
    path = folder / _NAME
    try:
        return SiteRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return SiteRecord()
    except (OSError, UnicodeDecodeError, pydantic.ValidationError) as error:
        raise GedgeError(
            "the record of this site cannot be read (another version of gedge wrote it, or it is damaged)",
            place=str(path),
            remedy="move it away; the next apply writes it anew, without the nodes that left the site file before",
        ) from error


def write_record(folder: Path, record: SiteRecord) -> None:
    """Replace the record."""
    write_atomically(folder / _NAME, record.model_dump_json(exclude_unset=True) + "\n", 0o600)


def remove_site(folder: Path) -> None:
    """Remove all that is remembered of a site: its record and those of its runs."""
    shutil.rmtree(folder, ignore_errors=True)
