"""Whether a namespace is there: a typing error must not look like a namespace without services."""

from __future__ import annotations

from gedge_provision.adapters.kube import Kube, NotFoundError
from gedge_provision.models.cluster import NAMESPACE
from gedge_provision.models.errors import UsageError

__all__ = ["NamespaceMissingError", "check_namespace"]


class NamespaceMissingError(UsageError):
    """The cluster has no namespace of that name."""


def check_namespace(kube: Kube, namespace: str) -> None:
    """Make sure that a namespace is there.

    Raises:
        NamespaceMissingError: it is not.
    """
    try:
        kube.get(NAMESPACE, "", namespace)
    except NotFoundError as error:
        raise NamespaceMissingError(
            f"the cluster has no namespace {namespace}",
            remedy=f"make it, kubectl create namespace {namespace}, or name another one: --namespace",
        ) from error
