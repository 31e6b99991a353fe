"""What a site's nodes are now, as its cluster tells, and how that changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from gedge_provision.adapters.kube import GoneError, Kube, KubeError, UnreachableError, connect
from gedge_provision.models.cluster import NODE, Manifest
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.node_summary import NodeSummary
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.site import Site
from gedge_provision.planning.node_status import after, state_of, summaries
from gedge_provision.provisioning.sites import load_site, present_kubeconfig

__all__ = ["NodeSummary", "status", "watch"]

_STREAM_S = 60.0
"""How long one request watches: a server that is gone without a word is noticed soon after."""
_PAUSE_S = 1.0
_WAITING = "Wait for the API server"


def status(site_path: Path) -> list[NodeSummary]:
    """Return the site's nodes in the order of the file; state is ready, not ready: REASON, or missing.

    Raises:
        UsageError: the site has no kubeconfig here yet.
        GedgeError: the API server does not answer.
    """
    site, kubeconfig = _opened(site_path)
    with connect(kubeconfig) as kube:
        live = {item["metadata"]["name"]: item for item in kube.find(NODE)}
        return list(summaries(site, live, {name: _policy(kube, node) for name, node in live.items()}))


def watch(
    site_path: Path, reporter: Reporter = SILENT, *, timeout_s: float | None = None
) -> Iterator[tuple[NodeSummary, ...]]:
    """Yield the site's nodes as `status` gives them, at once and whenever something of them has changed.

    An API server that goes away later is waited for, however long it takes; the reporter hears of it.

    Args:
        site_path: the site file; a change of it is not followed.
        reporter: is told when the API server does not answer, and when it does again.
        timeout_s: seconds after which it ends, to about a second; None means never.

    Raises:
        UsageError: the site has no kubeconfig here yet.
        GedgeError: the API server does not answer at the beginning.
    """
    site, kubeconfig = _opened(site_path)
    return _watch(site, kubeconfig, reporter, None if timeout_s is None else time.monotonic() + timeout_s)


def _watch(site: Site, kubeconfig: Path, reporter: Reporter, end: float | None) -> Iterator[tuple[NodeSummary, ...]]:
    told: tuple[NodeSummary, ...] = ()
    with connect(kubeconfig) as kube:
        for now in _views(kube, site, reporter, end):
            if now != told:
                yield now
            told = now


def _views(kube: Kube, site: Site, reporter: Reporter, end: float | None) -> Iterator[tuple[NodeSummary, ...]]:
    """Yield the nodes after each list and each event, whether or not anything of them is visible."""
    first, waiting = True, False
    while first or _left(end) > 0:
        try:
            for view in _connected(kube, site, end):
                if waiting:
                    reporter.finish(_WAITING)
                first = waiting = False
                yield view
        except GoneError:
            continue
        except KubeError as error:
            if first:
                raise
            if not waiting:
                reporter.note(f"{error.message}; tries again until it answers")
                reporter.start(_WAITING)
                waiting = True
            reporter.update(_WAITING, error.message)
            _pause(end)


def _connected(kube: Kube, site: Site, end: float | None) -> Iterator[tuple[NodeSummary, ...]]:
    items, version = kube.listed(NODE)
    live = {item["metadata"]["name"]: item for item in items}
    policies = {name: _policy(kube, node) for name, node in live.items()}
    yield summaries(site, live, policies)
    while (left := _left(end)) > 0:
        began = time.monotonic()
        for event in kube.watch(NODE, version, left):
            version = event.version
            if event.type == "BOOKMARK":
                continue
            live = after(live, event)
            name = event.object["metadata"]["name"]
            policies[name] = _policy(kube, event.object, policies.get(name, ""))  # a kubelet may have restarted
            yield summaries(site, live, policies)
        if time.monotonic() - began < _PAUSE_S:  # something between us and the server lets no stream live
            _pause(end)


def _pause(end: float | None) -> None:
    time.sleep(min(_PAUSE_S, max(0.0, _left(end))))


def _left(end: float | None) -> float:
    return _STREAM_S if end is None else min(_STREAM_S, end - time.monotonic())


def _opened(site_path: Path) -> tuple[Site, Path]:
    site = load_site(site_path)
    return site, present_kubeconfig(site)


def _policy(kube: Kube, live: Manifest, former: str = "") -> str:
    """Return the CPU manager policy that a node's kubelet runs with; empty of one that is not ready.

    Args:
        kube: the cluster.
        live: the node.
        former: what is known of it, for the time in which the API server does not answer.
    """
    if state_of(live) != "ready":
        return ""
    try:
        return str(kube.kubelet_configuration(live["metadata"]["name"]).get("cpuManagerPolicy", ""))
    except GedgeError as error:
        return former if former and isinstance(error, UnreachableError) else f"unknown: {error.message}"
