"""From a site file to the inventory that Ansible runs on; the inventory plugin and the runs both come here."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gedge_provision import artifacts
from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.files import read_document
from gedge_provision.adapters.gpu_versions import load_gpu_versions
from gedge_provision.adapters.locations import cache_dir
from gedge_provision.adapters.site_records import read_record
from gedge_provision.adapters.store import Store
from gedge_provision.models.catalog import Catalog, Kind, NeededOn
from gedge_provision.models.errors import DocumentError, Finding, GedgeError, UsageError
from gedge_provision.models.site import Role, Site
from gedge_provision.models.site_records import SiteRecord
from gedge_provision.planning.artifacts import select
from gedge_provision.planning.features import GPU, GPU_CHART, site_features
from gedge_provision.planning.gpu import CHART, plan_gpus, role_variables
from gedge_provision.planning.gpu_labels import gpu_section
from gedge_provision.planning.inventory import Inventory, compile_inventory
from gedge_provision.provisioning.sites import containerd_version, kubeconfig_path, load_site, site_folder

__all__ = ["catalog_images", "recorded_inventory", "site_inventory"]

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
    if installing:
        _check_certificate(site, path)
    catalog = load_catalog()
    store = Store(cache_dir() / "store")
    problem = ""
    needed: dict[Role, list[dict[str, Any]]] = {}
    for role in ("control_plane", "worker"):
        groups = {NeededOn.ALL}
        if role == "control_plane":
            groups |= {NeededOn.CONTROL_PLANE, NeededOn.FIRST_CONTROL_PLANE}
        if site.lab is not None:
            groups.add(NeededOn.LAB)
        try:
            _check_version(site, catalog, path)
            _check_chart(site, catalog, path)
            found = artifacts.resolve(catalog, store, select(catalog, groups, site_features(site)))
        except GedgeError as error:
            if installing:
                raise
            found, problem = (), str(error).replace("\n", " ")
        needed[role] = [
            {key: str(value) if key == "kind" else value for key, value in asdict(item).items() if key in _ITEM_KEYS}
            | {"source": str(item.path)}
            for item in found
        ]
    names = {node.name for node in site.nodes}
    known = read_record(site_folder(site)).hosts
    return compile_inventory(
        site,
        needed,
        str(kubeconfig_path(site)),
        artifacts_problem=problem,
        images=catalog_images(catalog),
        leaving={name: host.connection for name, host in known.items() if name not in names},
        gpu=_gpu_variables(site),
        first_only=_first_only(catalog),
    )


def recorded_inventory(record: SiteRecord) -> Inventory:
    """Compile the inventory of the site as it was applied last; of its artifacts names and digests are known."""
    site = record.site
    if site is None:
        return Inventory(groups={})
    needed = {
        role: [
            {"name": name, "sha256": digest, "target": record.images.get(name, "")} for name, digest in found.items()
        ]
        for role, found in record.artifacts.items()
    }
    roles: tuple[Role, ...] = ("control_plane", "worker")
    artifacts = {role: needed.get(role, []) for role in roles}
    return compile_inventory(
        site,
        artifacts,
        str(kubeconfig_path(site)),
        images=record.images,
        gpu=_gpu_variables(site),
        first_only=_first_only(load_catalog()),
    )


def catalog_images(catalog: Catalog) -> dict[str, str]:
    """Return the references of the catalog's images, by name."""
    return {artifact.name: artifact.target for artifact in catalog.artifacts if artifact.kind is Kind.IMAGE}


def _gpu_variables(site: Site) -> dict[str, Any]:
    versions = load_gpu_versions()
    # The record of a site may be from before an operator left the table.
    if GPU not in site_features(site) or versions.operator(gpu_section(site).version) is None:
        return {}
    return role_variables(site, plan_gpus(site, versions, containerd_version()))


def _first_only(catalog: Catalog) -> list[str]:
    return [one.name for one in catalog.artifacts if one.needed_on == (NeededOn.FIRST_CONTROL_PLANE,)]


def _check_certificate(site: Site, path: Path) -> None:
    wanted = site.gse_api_server
    if wanted is None or wanted.certificate is None or wanted.key is None:
        return
    # Most commands need none of this.
    from gedge_provision.adapters.certificates import read_pair  # noqa: PLC0415

    files = {"certificate": Path(wanted.certificate).expanduser(), "key": Path(wanted.key).expanduser()}
    try:
        read_pair(files["certificate"], files["key"], datetime.now(UTC))
    except UsageError as error:
        field = next(name for name, file in files.items() if str(file) == error.place)
        key = ("gse_api_server", field)
        place = read_document(path).place(key)
        message = f"{error.place}: {error.message}"
        raise DocumentError([Finding(place, ".".join(key), message, error.remedy)]) from error


def _check_chart(site: Site, catalog: Catalog, path: Path) -> None:
    chart = catalog.artifact(CHART)
    have = chart.version.removeprefix("v") if chart else "none"
    wanted = gpu_section(site).version
    if GPU_CHART in site_features(site) and wanted != have:
        key = ("gpu_operator", "version")
        raise DocumentError(
            [
                Finding(
                    read_document(path).place(key),
                    ".".join(key),
                    f"the artifact catalog has the chart of {have}, not of {wanted}",
                    f"write {have}, or name a chart server that has {wanted}: gpu_operator.chart_server",
                )
            ]
        )


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
