"""Which cluster and namespace a command talks to: options that verb groups share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from gedge_provision import provisioning
from gedge_provision.models.site import Site

__all__ = [
    "KubeconfigOption",
    "NamespaceOption",
    "OptionalSiteOption",
    "checked_name",
    "chosen_kubeconfig",
    "chosen_site",
]


def checked_name(name: str) -> str:
    """Return a name of an object if it can be one.

    Raises:
        BadParameter: it has other characters than lower-case letters, digits and '-', or more than 63.
    """
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
        raise typer.BadParameter(f"{name!r} is no name: use lower-case letters, digits and '-'")
    return name


KubeconfigOption = Annotated[
    Path | None, typer.Option("--kubeconfig", help="Kubeconfig of the cluster, instead of a site file.")
]
NamespaceOption = Annotated[str, typer.Option("--namespace", "-n", callback=checked_name, help="Kubernetes namespace.")]


OptionalSiteOption = Annotated[
    Path | None,
    typer.Option(
        "--site",
        "-s",
        envvar="GEDGE_SITE",
        help="A site file, for what it adds: resources of networks, the way to GPUs, nodes, whole cores.",
    ),
]


def chosen_kubeconfig(site: Path, kubeconfig: Path | None) -> Path:
    """Return the kubeconfig that the options name.

    Raises:
        DocumentError: the site file is wrong.
        UsageError: the site file cannot be read.
    """
    return kubeconfig or provisioning.kubeconfig_path(provisioning.load_site(site))


def chosen_site(site: Path | None, kubeconfig: Path | None = None) -> Site | None:
    """Return the site that the options name: none where a kubeconfig takes its place.

    Raises:
        DocumentError: the site file is wrong.
        UsageError: the site file cannot be read.
    """
    return None if site is None or kubeconfig is not None else provisioning.load_site(site)
