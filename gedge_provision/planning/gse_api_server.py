"""The GSE API server of a site: what its role is told, under which names it is reached, what its ports may be. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from gedge_provision.models.documents import Problem
from gedge_provision.models.site import Site
from gedge_provision.planning.service_checks import NODE_PORTS

__all__ = [
    "FINGERPRINT",
    "IMAGE",
    "NAME",
    "NAMESPACE",
    "NOT_AFTER",
    "check_gse_api_server",
    "documents_site",
    "gse_variables",
    "server_urls",
]

IMAGE = "gse-api-server"
"""Its image in the catalog."""
NAME, NAMESPACE = "gse-api-server", "kube-system"
FINGERPRINT, NOT_AFTER = "gedge.dev/certificate-sha256", "gedge.dev/certificate-not-after"
"""Annotations of its pods: which certificate they were started with, and until when it is valid."""
_PARTS = {"name", "kubernetes", "networks", "control_plane", "gpu_operator", "node_classes", "nodes", "lab"}


def check_gse_api_server(site: Site) -> Iterator[Problem]:
    """Yield what is wrong with the port of the server: rules of kube-proxy come before a node's own listeners."""
    port = site.gse_api_server.external_port if site.gse_api_server else None
    taken = {**NODE_PORTS, (site.ssh.port, "TCP"): "SSH"}
    if port is not None and (port, "TCP") in taken:
        yield Problem(
            ("gse_api_server", "external_port"),
            f"nodes need port {port} themselves, for {taken[port, 'TCP']}",
            "choose another one, for example 9443",
        )


def gse_variables(site: Site, artifacts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the variables of the role gse_api_server; none of sites without it.

    Args:
        site: the site.
        artifacts: what its nodes install; the digest of the server's image is among them, so that other code under the
            same name starts new pods.
    """
    wanted = site.gse_api_server
    if wanted is None:
        return {}
    digests = [str(item["sha256"]) for item in artifacts if item["name"] == IMAGE]
    return {
        "gse_api_server_image_sha256": digests[0] if digests else "",
        "gse_api_server_replicas": wanted.replicas,
        "gse_api_server_external_port": wanted.external_port or 0,
        "gse_api_server_addresses": _addresses(site),
        "gse_api_server_names": _names(site),
        "gse_api_server_certificate": wanted.certificate or "",
        "gse_api_server_key": wanted.key or "",
        "gse_api_server_urls": list(server_urls(site)),
        "gse_api_server_documents_site": yaml.safe_dump(documents_site(site), sort_keys=True),
    }


def server_urls(site: Site) -> tuple[str, ...]:
    """Return where the server is reached: on every node, or by its name in the cluster."""
    port = site.gse_api_server.external_port if site.gse_api_server else None
    if port is None:
        return (f"https://{NAME}.{NAMESPACE}.svc",)
    return tuple(f"https://{address}:{port}" for address in _addresses(site))


def documents_site(site: Site) -> dict[str, Any]:
    """Return the part of a site file by which service documents are completed; how hosts are reached is not in it."""
    found: dict[str, Any] = site.model_dump(
        mode="json",
        exclude_unset=True,
        include=_PARTS,
        exclude={"nodes": {"__all__": {"ssh_host"}}, "gpu_operator": {"chart_server"}},
    )
    return found


def _addresses(site: Site) -> list[str]:
    return [str(node.address) for node in site.nodes]


def _names(site: Site) -> list[str]:
    """Return the names in a certificate that is made for the server: in the cluster, and through a forwarded port."""
    inside = [NAME, f"{NAME}.{NAMESPACE}", f"{NAME}.{NAMESPACE}.svc"]
    return [*inside, f"{NAME}.{NAMESPACE}.svc.{site.networks.dns_domain}", "localhost"]
