"""What the GSE API server of a site tells of itself."""

from __future__ import annotations

from collections.abc import Callable

from gedge_provision.adapters.kube import Kube, KubeError
from gedge_provision.adapters.tls import shown_fingerprint
from gedge_provision.models.cluster import DEPLOYMENT
from gedge_provision.models.site import Site
from gedge_provision.models.snapshot import ServerAnswer
from gedge_provision.planning.gse_api_server import FINGERPRINT, NAME, NAMESPACE, NOT_AFTER

__all__ = ["ask_gse_api_server"]

_ANSWER_S = 5.0


def ask_gse_api_server(
    kube: Kube, site: Site, look: Callable[[str, int, float], str] = shown_fingerprint
) -> ServerAnswer:
    """Ask the server whether it is ready, and look at its certificate on every node that it is published on.

    Args:
        kube: the cluster.
        site: the site, which has a server.
        look: returns the fingerprint that is shown at an address and port within some seconds; empty if there is none.
    """
    port = site.gse_api_server.external_port if site.gse_api_server else None
    places = [str(node.address) for node in site.nodes] if port is not None else []
    shown = {f"{address}:{port}": look(address, port or 0, _ANSWER_S) for address in places}
    shown = {place: found for place, found in shown.items() if found}
    try:
        notes = kube.get(DEPLOYMENT, NAMESPACE, NAME)["spec"]["template"]["metadata"].get("annotations", {})
    except KubeError as error:
        return ServerAnswer(problem=error.message, shown=shown)
    try:
        kube.ask_server(NAMESPACE, NAME, "/readyz")
        problem = ""
    except KubeError as error:
        problem = error.message
    return ServerAnswer(
        problem=problem, fingerprint=notes.get(FINGERPRINT, ""), not_after=notes.get(NOT_AFTER) or None, shown=shown
    )
