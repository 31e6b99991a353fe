"""What an apply would change of the GSE API server, from what is remembered. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gedge_provision.models.changes import Change
from gedge_provision.planning.features import GSE_API_SERVER

__all__ = ["OBJECTS", "gse_changes"]

_EXTERNAL = "Service kube-system/gse-api-server-external"
OBJECTS = (
    "ClusterRole gedge-editor",
    "ClusterRole gedge-viewer",
    "ConfigMap kube-system/gse-api-server-site",
    "Deployment kube-system/gse-api-server",
    "PodDisruptionBudget kube-system/gse-api-server",
    "Secret kube-system/gse-api-server-certificate",
    "Service kube-system/gse-api-server",
    _EXTERNAL,
    "ServiceAccount kube-system/gse-api-server",
)
"""What the role gse_api_server applies; a test holds it equal to its template."""
_SITE, _DEPLOYMENT = "ConfigMap kube-system/gse-api-server-site", "Deployment kube-system/gse-api-server"
_CERTIFICATE = "Secret kube-system/gse-api-server-certificate"
_MADE_OF = {
    _SITE: ("documents_site",),
    _DEPLOYMENT: ("image", "image_sha256", "replicas", "documents_site", "certificate", "key"),
    _CERTIFICATE: ("certificate", "key"),
    _EXTERNAL: ("external_port", "addresses"),
}
"""Objects, and the variables of the role that they follow."""


def gse_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what changes in the cluster, from the variables of the site then and now.

    Of certificates it is seen that the site file names others, or that one that is made here needs more names; not that
    one ends soon.
    """
    before, after = _objects(old), _objects(new)
    reissued = bool(after) and not new.get("gse_api_server_certificate") and bool(_named(new) - _named(old))
    for title in OBJECTS:
        if title not in before and title not in after:
            continue
        kind, _, name = title.partition(" ")
        if title not in after:
            yield Change(kind, name, "remove")
        elif title not in before:
            yield Change(kind, name, "create")
        elif before[title] != after[title] or (reissued and title in (_CERTIFICATE, _DEPLOYMENT)):
            yield Change(kind, name, "change")


def _objects(variables: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the objects that a site has, each with what it follows."""
    if GSE_API_SERVER not in variables.get("gedge_features", []):
        return {}
    found = {title: [_of(variables, name) for name in _MADE_OF.get(title, ())] for title in OBJECTS}
    return found if _of(variables, "external_port") else {title: found[title] for title in found if title != _EXTERNAL}


def _named(variables: Mapping[str, Any]) -> set[str]:
    return {*(_of(variables, "names") or ()), *(_of(variables, "addresses") or ())}


def _of(variables: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - whatever the role takes
    return variables.get(f"gse_api_server_{name}")
