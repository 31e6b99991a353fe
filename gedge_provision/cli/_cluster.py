"""Which cluster and namespace a command talks to: options that verb groups share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gedge_provision import provisioning

__all__ = ["KubeconfigOption", "NamespaceOption", "chosen_kubeconfig"]

KubeconfigOption = Annotated[
    Path | None, typer.Option("--kubeconfig", help="Kubeconfig of the cluster, instead of a site file.")
]
NamespaceOption = Annotated[str, typer.Option("--namespace", "-n", help="Kubernetes namespace.")]


def chosen_kubeconfig(site: Path, kubeconfig: Path | None) -> Path:
    """Return the kubeconfig that the options name.

    Raises:
        DocumentError: the site file is wrong.
        UsageError: the site file cannot be read.
    """
    return kubeconfig or provisioning.kubeconfig_path(provisioning.load_site(site))
