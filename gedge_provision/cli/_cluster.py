"""Which cluster and namespace a command talks to: options that several verb groups share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gedge_provision.models.errors import UsageError
from gedge_provision.provisioning.sites import default_site, kubeconfig_path, load_site

__all__ = ["KubeconfigOption", "NamespaceOption", "SiteOption", "chosen_kubeconfig"]

SiteOption = Annotated[
    Path | None,
    typer.Option("--site", envvar="GEDGE_SITE", help="Site file of the cluster; the lab's when in a checkout."),
]
KubeconfigOption = Annotated[
    Path | None, typer.Option("--kubeconfig", help="Kubeconfig of the cluster, instead of a site file.")
]
NamespaceOption = Annotated[str, typer.Option("--namespace", "-n", help="Kubernetes namespace.")]


def chosen_kubeconfig(site: Path | None, kubeconfig: Path | None) -> Path:
    """Return the kubeconfig that the options name.

    Raises:
        UsageError: there is none to choose.
        DocumentError: the site file is wrong.
    """
    if kubeconfig is not None:
        return kubeconfig
    chosen = site or default_site()
    if chosen is None:
        raise UsageError("no cluster is named", remedy="use --site FILE, --kubeconfig FILE or set GEDGE_SITE")
    return kubeconfig_path(load_site(chosen))
