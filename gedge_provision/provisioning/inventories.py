"""From a site file to the inventory that Ansible runs on; the inventory plugin and the runs both come here."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from gedge_provision import artifacts
from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.files import read_document
from gedge_provision.adapters.locations import cache_dir
from gedge_provision.adapters.store import Store
from gedge_provision.models.catalog import Catalog, NeededOn
from gedge_provision.models.errors import DocumentError, Finding, GedgeError
from gedge_provision.models.site import Role, Site
from gedge_provision.planning.artifacts import select
from gedge_provision.planning.inventory import Inventory, compile_inventory
from gedge_provision.provisioning.sites import kubeconfig_path, load_site

__all__ = ["site_inventory"]

_ITEM_KEYS = ("name", "kind", "sha256", "size", "target")


def site_inventory(path: Path, *, installing: bool = False) -> Inventory:
    """Load a site file and compile its inventory, with the digests that the artifact store has now.

    Args:
        path: the site file.
        installing: whether catalog and store must have everything. Otherwise what they lack is a variable
            (artifacts_problem) that the role `artifacts` refuses with: a reset or a look at the cluster needs neither.

    Raises:
        DocumentError: the site file is wrong, or (installing) asks for a version that the catalog does not have.
        GedgeError: (installing) the artifact store lacks something.
    """
    site = load_site(path)
    catalog = load_catalog()
    store = Store(cache_dir() / "store")
    problem = ""
    needed: dict[Role, list[dict[str, Any]]] = {}
    for role in ("control_plane", "worker"):
        groups = {NeededOn.ALL}
        if role == "control_plane":
            groups.add(NeededOn.CONTROL_PLANE)
        if site.lab is not None:
            groups.add(NeededOn.LAB)
        try:
            _check_version(site, catalog, path)
            found = artifacts.resolve(catalog, store, select(catalog, groups))
        except GedgeError as error:
            if installing:
                raise
            found, problem = (), str(error).replace("\n", " ")
        needed[role] = [
            {key: str(value) if key == "kind" else value for key, value in asdict(item).items() if key in _ITEM_KEYS}
            | {"source": str(item.path)}
            for item in found
        ]
    return compile_inventory(site, needed, str(kubeconfig_path(site)), artifacts_problem=problem)


def _check_version(site: Site, catalog: Catalog, path: Path) -> None:
    kubelet = catalog.artifact("kubelet")
    have = kubelet.version.removeprefix("v") if kubelet else "none"
    if site.kubernetes.version != have:
        key = ("kubernetes", "version")
        raise DocumentError(
            [
                Finding(
                    read_document(path).place(key),
                    ".".join(key),
                    f"the artifact catalog has {have}, not {site.kubernetes.version}",
                    f"write {have}, or use the gedge release that brings {site.kubernetes.version}",
                )
            ]
        )
