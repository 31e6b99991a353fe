"""The acceptance report on a cluster: everything passes, and what is broken by hand is told and nothing else."""

from __future__ import annotations

import json
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

FIRST, SECOND = "gedgew01", "gedgew02"
CLASS_LABEL = "gedge.dev/node-class"
COREDNS = ("-n", "kube-system", "deployment/coredns")


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.details: list[bool] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "details":
            self.details.append("open" in dict(attrs))


def settled(lab: LabCluster) -> None:
    """Wait until the cluster's own pods are ready, which come after the nodes, and every node has been measured.

    A kubelet that has much to do misses one of metrics-server's looks, and is measured at the next.
    """
    for namespace, what in (("kube-system", "deployment/coredns"), ("kube-system", "daemonset/kube-proxy")):
        lab.kubectl("-n", namespace, "rollout", "status", what, "--timeout=90s")
    lab.kubectl("-n", "kube-flannel", "rollout", "status", "daemonset/kube-flannel", "--timeout=90s")
    lab.kubectl(
        "-n", "kube-system", "wait", "pod", "-l", "tier=control-plane", "--for=condition=Ready", "--timeout=90s"
    )
    lab.kubectl("wait", "apiservice/v1beta1.metrics.k8s.io", "--for=condition=Available", "--timeout=90s")
    end = time.monotonic() + 90
    while len(json.loads(lab.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"))["items"]) < len(lab.hosts):
        assert time.monotonic() < end
        time.sleep(1)


def failed(report: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(c["node"], c["id"]): c["evidence"] for c in report["checks"] if c["status"] == "fail"}


def test_a_converged_site_keeps_every_promise_and_what_is_broken_by_hand_is_told(
    lab: LabCluster, tmp_path: Path
) -> None:
    settled(lab)
    page = tmp_path / "report.html"
    report = json.loads(lab.gedge("verify", "--output", "json", "--out", page).stdout)
    assert failed(report) == {}
    assert report["counts"]["passed"] > 100
    assert {check["node"] for check in report["checks"]} == {"", *lab.hosts}
    shown = Page(page.read_text(encoding="utf-8")).details
    assert len(shown) > len(lab.hosts)
    assert not any(shown)

    try:
        lab.kubectl("label", "node", FIRST, f"{CLASS_LABEL}-")
        lab.hosts[SECOND].run("sysctl -qw net.ipv4.ip_forward=0")
        lab.kubectl("scale", *COREDNS, "--replicas=0")
        said = lab.gedge("verify", "--out", tmp_path / "broken.json", code=1).stdout
        found = failed(json.loads((tmp_path / "broken.json").read_text(encoding="utf-8")))
        assert set(found) == {("", "dns-available"), (FIRST, "node-labels"), (SECOND, "host-kernel")}
        assert found["", "dns-available"].endswith("of 0 replicas are available")
        assert found[FIRST, "node-labels"] == f"{CLASS_LABEL} is missing, promised is ai-worker"
        assert found[SECOND, "host-kernel"] == "to do: set sysctl net.ipv4.ip_forward=1"
        assert f"fail  {FIRST}: node-labels" in said
        assert "3 fail" in said
    finally:
        lab.hosts[SECOND].run("sysctl -qw net.ipv4.ip_forward=1")
        lab.kubectl("scale", *COREDNS, "--replicas=2")
        lab.gedge("apply")  # sets the label, under the name that owns it
        settled(lab)
