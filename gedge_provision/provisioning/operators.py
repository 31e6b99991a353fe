"""Documents for the operators that own network cards of a site, as files."""

from __future__ import annotations

from pathlib import Path

import yaml

from gedge_provision.adapters.files import make_folder, write_atomically
from gedge_provision.planning.operators import operator_documents
from gedge_provision.provisioning.sites import load_site

__all__ = ["write_operator_documents"]


def write_operator_documents(site_path: Path, folder: Path) -> list[Path]:
    """Write what the operators of a site's cards are told, and return the files.

    Args:
        site_path: the site file.
        folder: where the files go; made when it is missing.

    Raises:
        DocumentError: the site file is wrong.
        UsageError: no operator owns a card, or the folder cannot be made.
    """
    site = load_site(site_path)
    found = operator_documents(site)
    make_folder(folder)
    written = []
    for name, documents in found.items():
        text = yaml.safe_dump_all(documents, sort_keys=False, explicit_start=True)
        write_atomically(
            folder / name, f"# Site {site.name}, by `gedge operators`: change the site file instead.\n{text}"
        )
        written.append(folder / name)
    return written
