"""The page on the lab's cluster, behind `gedge serve`: deploy, watch it get ready, read its log, scale, delete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser_tabs import Tabs, chromium
from gse_server import gse_server
from playwright.sync_api import expect

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

NAMESPACE = "page"
DOCUMENT = """\
service:
  name: page-app
  replicas: 1
  containers:
    - image: k8s.gcr.io/echoserver:1.10
      ports: [{containerPort: 8080}]
      resources: {requests: {cpu: 50m, memory: 64Mi}}
"""
_READY_MS = 120_000


@pytest.fixture
def token(lab: LabCluster) -> Iterator[str]:
    """A token of a service account that may change things in a namespace of its own, and look at the cluster."""
    user = f"--serviceaccount={NAMESPACE}:user"
    looked_at = "nodes,namespaces,resourceclaimtemplates.resource.k8s.io"
    try:
        lab.kubectl("create", "namespace", NAMESPACE)
        lab.kubectl("create", "serviceaccount", "user", "-n", NAMESPACE)
        lab.kubectl("create", "rolebinding", "page-admin", "-n", NAMESPACE, "--clusterrole=admin", user)
        lab.kubectl("create", "clusterrolebinding", "page-view", "--clusterrole=view", user)
        lab.kubectl("create", "clusterrole", "page-nodes", "--verb=get,list,watch", f"--resource={looked_at}")
        lab.kubectl("create", "clusterrolebinding", "page-nodes", "--clusterrole=page-nodes", user)
        yield lab.kubectl("create", "token", "user", "-n", NAMESPACE, "--duration=1h").strip()
    finally:
        lab.kubectl("delete", "clusterrolebinding", "page-view", "page-nodes", "--ignore-not-found")
        lab.kubectl("delete", "clusterrole", "page-nodes", "--ignore-not-found")
        lab.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true")


def test_from_a_document_to_a_deleted_service(lab: LabCluster, token: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        server = stack.enter_context(gse_server(kubeconfig=lab.kubeconfig))
        tabs = Tabs(browser, server.url, stack)
        page = tabs.open("#/nodes")
        page.get_by_label("Bearer token").fill(token)
        page.get_by_role("button", name="Go on").click()
        expect(page.locator("#user")).to_have_text(f"system:serviceaccount:{NAMESPACE}:user")
        expect(page.locator("tbody tr")).to_have_count(len(lab.hosts))
        page.get_by_role("link", name="gedgew01").click()
        expect(page.get_by_role("row").filter(has_text="Ready").first).to_contain_text("KubeletReady")

        page.get_by_role("link", name="Deploy").click()
        page.get_by_label("Namespace").fill(NAMESPACE)
        page.get_by_role("textbox", name="Document").fill(DOCUMENT)
        page.get_by_role("button", name="Fit").click()
        expect(page.locator("#main")).to_contain_text("1 of 1 replicas fit now.")
        page.get_by_role("button", name="Deploy", exact=True).click()
        page.get_by_role("link", name="Watch it").click()
        expect(page.locator(".state")).to_contain_text("1/1 ready", timeout=_READY_MS)
        expect(page.get_by_role("row").filter(has_text="runs")).to_contain_text("good", timeout=_READY_MS)

        page.get_by_role("button", name="Show log").click()
        expect(page.get_by_role("log")).to_contain_text(re.compile(r"\S"))
        page.get_by_role("button", name="Stop").click()

        page.get_by_role("button", name="Scale…").click()
        page.get_by_label("Number of pods").fill("2")
        page.get_by_role("dialog").get_by_role("button", name="Scale").click()
        expect(page.locator(".state")).to_contain_text("2/2 ready", timeout=_READY_MS)
        page.screenshot(path=tmp_path / "service.png", full_page=True)

        page.get_by_role("button", name="Delete…").click()
        page.get_by_label("Type page-app to confirm").fill("page-app")
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("heading", name="Services")).to_be_visible(timeout=_READY_MS)
        page.get_by_label("Namespace").fill(NAMESPACE)
        page.get_by_label("Namespace").press("Enter")
        expect(page.locator("#main")).to_contain_text("No services here yet.", timeout=_READY_MS)
        assert token not in server.printed()
    assert tabs.said == []
