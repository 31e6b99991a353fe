"""Loading a site file: the only way in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.files import read_document
from gedge_provision.adapters.gpu_versions import load_gpu_versions
from gedge_provision.adapters.lab_files import lab_folder
from gedge_provision.adapters.locations import content_dir, state_dir
from gedge_provision.models.documents import Problem, Source, validate
from gedge_provision.models.errors import UsageError
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu_labels import served_classes
from gedge_provision.planning.gpu_version_checks import check_gpu_versions
from gedge_provision.planning.site_checks import check_site

__all__ = [
    "containerd_version",
    "default_kubeconfig",
    "default_site_path",
    "kubeconfig_path",
    "load_site",
    "owns_kubeconfig",
    "present_kubeconfig",
    "site_folder",
]

_OTHERS = (
    ("all", "an Ansible inventory", "describe the site as in inventories/example, or run ansible-playbook -i on it"),
    ("service", "a service document", "deploy it with: gedge service apply"),
    ("apiVersion", "a Kubernetes manifest", "describe the site as in inventories/example"),
)
"""Top-level keys of documents that are easily taken for a site file."""


def load_site(path: Path) -> Site:
    """Read and validate a site file.

    Raises:
        DocumentError: with every finding (file:line, field, remedy).
        UsageError: the file cannot be read.
    """
    source = read_document(path)
    _refuse_others(source)
    site = validate(source, Site, _check)
    return site if site.lab is None else _with_lab_keys(site)


def _check(site: Site) -> Iterator[Problem]:
    yield from check_site(site)
    if served_classes(site):
        yield from check_gpu_versions(site, load_gpu_versions(), containerd_version())


def containerd_version() -> str:
    """Return which containerd the nodes of a site get.

    Raises:
        UsageError: the catalog is wrong, or has none.
    """
    found = load_catalog().artifact("containerd")
    if found is None:
        raise UsageError("the artifact catalog has no containerd", remedy="use the catalog of a gedge release")
    return found.version.removeprefix("v")


def _refuse_others(source: Source) -> None:
    """Name a document that is of another kind, instead of listing every key that a site does not have."""
    if not isinstance(source.data, dict) or "nodes" in source.data:
        return
    for key, kind, remedy in _OTHERS:
        if key in source.data:
            raise UsageError(f"this is {kind}, not a site file", place=source.place((key,)), remedy=remedy)


def _with_lab_keys(site: Site) -> Site:
    """Fill in where `gedge lab up` keeps the keys of a lab, unless the site file says it."""
    folder = lab_folder(site.name)
    keys = {"private_key": str(folder / "id_ed25519"), "known_hosts": str(folder / "known_hosts")}
    missing = {name: value for name, value in keys.items() if getattr(site.ssh, name) is None}
    return site.model_copy(update={"ssh": site.ssh.model_copy(update=missing)})


def kubeconfig_path(site: Site) -> Path:
    """Return where the administrator's kubeconfig of a site is kept on this machine."""
    if site.kubeconfig is not None:
        return Path(site.kubeconfig).expanduser()
    return default_kubeconfig(site.name)


def default_kubeconfig(name: str) -> Path:
    """Return where the kubeconfig of a site of this name is kept unless its site file says otherwise."""
    return state_dir() / "sites" / name / "kubeconfig"


def present_kubeconfig(site: Site) -> Path:
    """Return where the kubeconfig of a site lies.

    Raises:
        UsageError: there is none yet.
    """
    kubeconfig = kubeconfig_path(site)
    if not kubeconfig.is_file():
        raise UsageError(
            "there is no kubeconfig of this site here",
            place=str(kubeconfig),
            remedy="install it: gedge apply; of a running one: gedge kubeconfig --fetch",
        )
    return kubeconfig


def owns_kubeconfig(site: Site) -> bool:
    """Tell whether the kubeconfig that lies at a site's place is of this site alone, as kubeadm writes it."""
    if site.kubeconfig is None:
        return True  # nobody else writes there
    try:
        data = yaml.safe_load(kubeconfig_path(site).read_text(encoding="utf-8"))
        names = [str(context["name"]) for context in data["contexts"]]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError):
        return False
    return bool(names) and all(name.endswith(f"@{site.name}") for name in names)


def site_folder(site: Site) -> Path:
    """Return the folder in which this machine keeps what it knows of a site: kubeconfig, records of runs."""
    return state_dir() / "sites" / site.name


def default_site_path() -> Path:
    """Return the lab's site file, which commands take when none is named."""
    return content_dir() / "inventories" / "lab" / "site.yml"
