"""Building, verifying, packing and unpacking the artifacts that roles install.

The heavy parts (compilers, downloads) are imported from their modules by those who need them, so that an inventory
is compiled fast.
"""

from __future__ import annotations

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.locations import cache_dir
from gedge_provision.adapters.store import Store
from gedge_provision.artifacts.resolve import resolve

__all__ = ["default_store", "load_catalog", "resolve"]


def default_store() -> Store:
    """Return the artifact store in the cache folder."""
    return Store(cache_dir() / "store")
