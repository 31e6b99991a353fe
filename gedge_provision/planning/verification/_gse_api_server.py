"""What is promised of the GSE API server, where the site has one."""

from __future__ import annotations

from datetime import timedelta

from gedge_provision.planning.gse_api_server import NAME, NAMESPACE, server_urls
from gedge_provision.planning.verification._promise import Look, Promise, Verdict, listed, verdict

__all__ = ["CLUSTER_GSE"]

_SPARE = timedelta(days=29)  # an apply renews what is made here 30 days before its end
_LOGS = f"see why: kubectl -n {NAMESPACE} describe pod -l app={NAME}"
_APPLY = "put it right: gedge apply --only gse"


def _wanted(look: Look) -> int:
    return look.site.gse_api_server.replicas if look.site.gse_api_server else 0


def _pods(look: Look) -> Verdict:
    pods = [pod for pod in look.snapshot.pods if pod.metadata.labels.get("app") == NAME and pod.ready]
    nodes = sorted({pod.spec.node_name for pod in pods})
    return Verdict(len(pods) >= _wanted(look), f"{len(pods)} ready, on {listed(nodes) or 'no node'}")


def _answers(look: Look) -> Verdict:
    problem = look.snapshot.gse_api_server.problem
    return Verdict(not problem, problem or f"it is ready, at {', '.join(server_urls(look.site))}")


def _certificate(look: Look) -> Verdict:
    found = look.snapshot.gse_api_server
    if found.not_after is None:
        return Verdict(kept=False, evidence="its pods were started without one that is known")
    if found.not_after - look.snapshot.taken < _SPARE:
        remedy = f"renew its files, or have it made anew: {_APPLY}"
        return Verdict(kept=False, evidence=f"it ends on {found.not_after:%Y-%m-%d}", remedy=remedy)
    port = look.site.gse_api_server.external_port if look.site.gse_api_server else None
    places = [f"{node.address}:{port}" for node in look.site.nodes] if port else []
    wrong = [
        f"{place} shows {found.shown.get(place) or 'nothing'}"
        for place in places
        if found.shown.get(place) != found.fingerprint
    ]
    return verdict(wrong, f"SHA-256 {found.fingerprint}, until {found.not_after:%Y-%m-%d}")


CLUSTER_GSE: tuple[Promise[Look], ...] = (
    Promise(
        "gse-pods", "gse", "As many pods of the GSE API server are ready as the site file asks for.",
        _LOGS, "cluster",
        lambda look: f"{_wanted(look)} ready pods of the GSE API server", _pods,
    ),
    Promise(
        "gse-answers", "gse", "The GSE API server says that it is ready: it reaches the Kubernetes API.",
        f"{_LOGS}; kubectl -n {NAMESPACE} logs -l app={NAME}", "cluster",
        lambda _: "the GSE API server is ready", _answers,
    ),
    Promise(
        "gse-certificate", "gse",
        "The GSE API server shows the certificate that its pods were started with, on every node that it is published "
        "on, and it is valid for a month.",
        _APPLY, "cluster",
        lambda _: "the GSE API server shows its certificate", _certificate,
    ),
)  # fmt: skip
