"""What people do on the page, from the token to a deleted service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from browser_tabs import Tabs
from gse_server import gse_server
from live_cluster import ALIGNMENT, DOCUMENT, HOSTILE, TOKEN, LiveCluster, deployment, node
from playwright.sync_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

TEMPLATE = """\
template:
  name: web
  service:
    containers:
      - image: registry.example/web:1
        ports: [{containerPort: 8080}]
"""
MESH = """\
serviceMesh:
  name: shop
  services:
    - {name: front, template: web, labels: {version: v1}}
    - {name: front, template: web, labels: {version: v2}}
  serviceRoutes:
    - name: beta
      match: [{uri: {prefix: /beta}}]
      destination: {host: front, subset: v2}
"""


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def ask(page: Page, button: str) -> Locator:
    """Press a button that opens a dialog, and return that."""
    page.get_by_role("button", name=button).click()
    return page.get_by_role("dialog")


def delete(page: Page, name: str) -> None:
    dialog = ask(page, "Delete…")
    button = dialog.get_by_role("button", name="Delete")
    expect(button).to_be_disabled()
    dialog.get_by_label(f"Type {name} to confirm").fill(name)
    button.click()
    expect(page.locator("#notices")).to_contain_text(f"default/{name} is being deleted.")


def test_the_token_is_asked_for_and_kept_in_the_tab_alone(tabs: Tabs) -> None:
    tabs.refused |= {401}
    page = tabs.open("#/nodes")
    field = page.get_by_label("Bearer token of the cluster")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("type", "password")
    expect(page.locator("#main")).to_contain_text("kubectl create token")
    field.fill("two words")
    field.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="this is no token")).to_be_visible()
    page.get_by_label("Bearer token").fill("wrong")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert").filter(has_text="→ bring the token")).to_be_visible()
    page.get_by_label("Bearer token").fill(TOKEN)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Nodes")).to_be_focused()
    expect(page.locator("#user")).to_have_text("somebody")
    assert TOKEN not in page.content()
    assert TOKEN not in page.url
    assert page.evaluate("JSON.stringify([{...localStorage}, document.cookie])") == '[{},""]'
    page.reload()
    expect(page.get_by_role("heading", name="Nodes")).to_be_visible()
    expect(page).to_have_title("Nodes · gedge")
    page.get_by_role("button", name="Forget token").click()
    expect(page.get_by_label("Bearer token")).to_be_focused()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_token_that_is_over_brings_the_form_back(tabs: Tabs, cluster: LiveCluster) -> None:
    tabs.refused |= {401}
    cluster.add(deployment("detector"))
    page = tabs.open("#/services/default/detector", token=TOKEN)
    expect(page.get_by_role("heading", name="detector")).to_be_visible()
    cluster.token = TOKEN[::-1]
    expect(page.get_by_label("Bearer token")).to_be_visible()
    expect(page.get_by_role("alert").filter(has_text="→ bring the token")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_the_list_follows_the_cluster(tabs: Tabs, cluster: LiveCluster) -> None:
    cluster.add(deployment("detector"), deployment("speech", "voice", ready=False))
    page = tabs.open(token=TOKEN)
    expect(page.locator(".count")).to_have_text("2 services1 not ready")
    expect(row(page, "detector")).to_contain_text("2/2 ready")
    path, item = deployment("speech", "voice")
    cluster.add((path, item), deployment("tracker"))
    expect(row(page, "speech")).to_contain_text("2/2 ready")
    expect(row(page, "tracker")).to_be_visible()
    cluster.objects.pop(path)
    expect(row(page, "speech")).to_have_count(0)
    expect(page.locator(".count")).to_have_text("2 services")


def test_what_is_chosen_stays_in_the_address(tabs: Tabs, cluster: LiveCluster) -> None:
    cluster.add(deployment("detector"), deployment("tracker", ready=False), deployment("speech", "voice"))
    page = tabs.open(token=TOKEN)
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_label("Filter").fill("t")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("State").select_option("not ready")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_label("Filter")).to_have_value("t")
    row(page, "tracker").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="tracker")).to_be_focused()
    expect(page).to_have_title("tracker · gedge")
    page.go_back()
    expect(page.get_by_label("Filter")).to_have_value("t")
    page.get_by_role("button", name="Reset filters").click()
    page.get_by_label("Namespace").fill("voice")
    page.get_by_label("Namespace").press("Enter")
    page.get_by_label("Filter").focus()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(row(page, "speech")).to_be_visible()
    assert page.url.endswith("?namespace=voice")
    page.get_by_role("button", name="Reset filters").click()
    page.get_by_role("button", name="Name", exact=True).click()
    expect(page.locator("tbody tr").first).to_contain_text("tracker")
    expect(page.get_by_role("columnheader", name="Name", exact=True)).to_have_attribute("aria-sort", "descending")


def test_a_wrong_document_is_told_line_by_line(tabs: Tabs, cluster: LiveCluster) -> None:
    tabs.refused |= {422}
    cluster.add(node("edge-01"))
    page = tabs.open("#/deploy", token=TOKEN)
    editor = page.get_by_role("textbox", name="Document")
    editor.fill(DOCUMENT.replace("containerPort", "containerport").replace("replicas: 2", "replicas: many"))
    page.get_by_role("button", name="Check").click()
    findings = page.locator("#problems li")
    expect(findings).to_have_count(2)
    expect(findings.filter(has_text="containerport")).to_contain_text("→ did you mean 'containerPort'?")
    findings.get_by_role("button", name="line 6").click()
    expect(editor).to_be_focused()
    marked = (
        "document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)"
    )
    assert page.evaluate(marked) == "      ports: [{containerport: 8080}]"
    assert not any("/deployments/" in path for path in cluster.objects)


def test_from_a_document_to_a_deleted_service(tabs: Tabs, cluster: LiveCluster, tmp_path: Path) -> None:
    tabs.refused |= {409}
    cluster.add(node("edge-01"))
    page = tabs.open("#/deploy", token=TOKEN)
    (tmp_path / "detector.yaml").write_text(DOCUMENT, encoding="utf-8")
    page.get_by_label("From a file").set_input_files(tmp_path / "detector.yaml")
    expect(page.get_by_role("textbox", name="Document")).to_have_value(DOCUMENT)
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("heading", name="The document is right")).to_be_visible()
    page.get_by_role("button", name="Fit").click()
    expect(page.get_by_role("heading", name="Fit of detector")).to_be_visible()
    expect(page.locator("#main")).to_contain_text("2 of 2 replicas fit now.")
    expect(row(page, "edge-01")).to_be_visible()
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.get_by_role("link", name="Watch it").click()
    expect(page.locator(".state")).to_contain_text("2/2 ready")
    expect(page.get_by_role("row").filter(has_text="detector-7d9c8-001")).to_contain_text("edge-01")

    page.get_by_role("link", name="Edit").click()
    editor = page.get_by_role("textbox", name="Document")
    expect(editor).to_have_value(re.compile('"name": "detector"'))
    editor.fill(editor.input_value().replace("detector:1.4", "detector:1.5"))
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Change it").click()
    page.get_by_role("link", name="Watch it").click()
    expect(page.get_by_role("row").filter(has_text="runs")).to_contain_text("2")
    page.get_by_role("button", name="Diff of revision 2").click()
    expect(page.get_by_role("dialog")).to_contain_text("detector:1.5")
    page.get_by_role("button", name="Close").click()

    dialog = ask(page, "Scale…")
    dialog.get_by_label("Number of pods").fill("3")
    dialog.get_by_role("button", name="Scale").click()
    expect(page.locator("#notices")).to_contain_text("detector is scaled to 3.")
    expect(page.locator(".state")).to_contain_text("3/3 ready")
    ask(page, "Restart…").get_by_role("button", name="Restart").click()
    expect(page.locator("#notices")).to_contain_text("detector is restarted.")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    ask(page, "Roll back…").get_by_role("button", name="Roll back").click()
    expect(page.locator("#notices")).to_contain_text("detector is rolled back.")

    delete(page, "detector")
    expect(page.get_by_role("heading", name="Services")).to_be_visible()
    expect(page.locator("#main")).to_contain_text("No services here yet.")


def test_a_canary_is_tried_and_promoted(tabs: Tabs, cluster: LiveCluster) -> None:
    tabs.refused |= {409}
    cluster.add(node("edge-01"))
    page = tabs.open("#/deploy", token=TOKEN)
    editor = page.get_by_role("textbox", name="Document")
    editor.fill(DOCUMENT)
    page.get_by_role("button", name="Deploy", exact=True).click()
    expect(page.get_by_role("link", name="Watch it")).to_be_visible()
    editor.fill(DOCUMENT.replace("detector:1.4", "detector:1.5"))
    page.get_by_label("New pods come").select_option("a canary first")
    page.get_by_label("Canary percent").fill("50")
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Change it").click()
    expect(page.get_by_text("on trial")).to_be_visible()
    page.get_by_role("link", name="Watch it").click()
    expect(page.get_by_role("row").filter(has_text="canary 50%")).to_contain_text("on trial")
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_role("row").filter(has_text="canary 50%")).to_contain_text("runs")
    expect(page.get_by_role("button", name="Promote")).to_be_hidden()


def test_logs_are_followed_until_they_are_stopped(tabs: Tabs, cluster: LiveCluster) -> None:
    cluster.add(deployment("detector"))
    said: list[bytes | None] = [b"\x1b[32mINFO\x1b[0m begun " + HOSTILE.encode() + b"\n"]
    cluster.logs["/api/v1/namespaces/default/pods/detector-7d9c8-001"] = said
    page = tabs.open("#/services/default/detector", token=TOKEN)
    expect(page.get_by_label("Pod")).to_have_value("detector-7d9c8-000")
    page.get_by_label("Pod").select_option("detector-7d9c8-001")
    page.get_by_role("button", name="Show log").click()
    log = page.get_by_role("log")
    expect(log).to_have_text(f"INFO begun {HOSTILE}\n")
    said.append(b"INFO frame 1\n")
    expect(log).to_contain_text("frame 1")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped.")).to_be_visible()
    said.append(b"INFO frame 2\n")
    page.get_by_label("Follow").uncheck()
    page.get_by_role("button", name="Show log").click()
    expect(page.get_by_text("The log ends here.")).to_be_visible()
    expect(log).to_contain_text("frame 2")
    said.append(None)


def test_a_node_is_drawn_with_its_cores_and_who_owns_them(tabs: Tabs, cluster: LiveCluster) -> None:
    path, item = deployment("detector")
    resources = {"cpu": "3", "memory": "1Gi", "nvidia.com/gpu": "1"}
    item["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": resources, "requests": resources}
    cluster.add(node("edge-01", ALIGNMENT), node("edge-02"), (path, item))
    page = tabs.open("#/nodes", token=TOKEN)
    expect(page.locator(".count")).to_have_text("2 nodes")
    row(page, "edge-01").get_by_role("link").click()
    first = page.get_by_role("region", name="NUMA node 0")
    expect(first.get_by_role("list", name="Cores").get_by_role("listitem")).to_have_text(
        ["0 8 reserved", "1 9", "2 10", "3 11"]
    )
    expect(first).to_contain_text("16.0 GiB")
    expect(first).to_contain_text("nvidia.com/gpu: 1")
    expect(page.locator(".owned")).to_contain_text("6 of 14 CPUs for pods belong to one container each.")
    expect(page.locator(".owned")).to_contain_text("and not which")
    expect(page.get_by_role("row").filter(has_text="detector-7d9c8-000")).to_contain_text("nvidia.com/gpu: 1")
    page.get_by_text("Images").click()
    expect(page.get_by_role("row").filter(has_text=f"registry.example/{HOSTILE}:1")).to_contain_text("118 MiB")
    page.goto(f"{tabs.address}/#/nodes/edge-02")
    expect(page.locator("#main")).to_contain_text("This node tells no topology here")


def test_templates_and_meshes_have_their_documents(tabs: Tabs, cluster: LiveCluster) -> None:
    cluster.add(node("edge-01"))
    page = tabs.open("#/deploy", token=TOKEN)
    editor = page.get_by_role("textbox", name="Document")
    editor.fill(TEMPLATE)
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.get_by_role("link", name="Show it").click()
    expect(page.get_by_role("heading", name="web")).to_be_visible()
    expect(page.get_by_label("Document of web")).to_contain_text("registry.example/web:1")

    page.get_by_role("link", name="Deploy").click()
    editor.fill(MESH)
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.get_by_role("link", name="Show it").click()
    expect(row(page, "shop-front-v1").or_(page.get_by_role("row").filter(has_text="v1")).first).to_contain_text("ready")
    expect(page.locator("#main")).to_contain_text("not routed by URI")
    expect(page.get_by_role("table", name="Routes")).to_contain_text("beta")
    page.get_by_role("link", name="Meshes").first.click()
    expect(row(page, "shop")).to_contain_text("no")
    row(page, "shop").get_by_role("link").first.click()
    delete(page, "shop")
    expect(page.locator("#main")).to_contain_text("No meshes in this namespace.")

    page.get_by_role("link", name="Templates").click()
    row(page, "web").get_by_role("link").click()
    delete(page, "web")
    expect(page.locator("#main")).to_contain_text("No templates in this namespace.")


def test_what_is_not_there_and_what_is_not_allowed_is_told(tabs: Tabs, cluster: LiveCluster) -> None:
    tabs.refused |= {403}
    cluster.token = TOKEN[::-1]  # of another user: who watches already goes on for a minute
    cluster.forbidden.add("/apis/apps/v1/deployments")
    cluster.add(deployment("detector"))
    page = tabs.open(token=cluster.token)
    expect(page.locator(".count")).to_have_text("Choose a namespace: you may not list those of all.")
    problem = page.get_by_role("alert").filter(has_text="→ ask the cluster's administrator")
    expect(problem).to_contain_text("GET /apis/apps/v1/deployments is refused")
    expect(problem).not_to_contain_text("http")
    page.get_by_label("Namespace").fill("default")
    page.get_by_label("Namespace").press("Enter")
    expect(row(page, "detector")).to_be_visible()
    page.goto(f"{tabs.address}/#/services/default/none")
    expect(page.locator("#main")).to_contain_text("There is no such service (any more).")
    page.goto(f"{tabs.address}/#/nodes/none")
    expect(page.locator("#main")).to_contain_text("There is no such node (any more).")
    cluster.add(deployment("tracker"))
    page.goto(f"{tabs.address}/#/services/default/tracker")
    expect(page.locator(".state")).to_contain_text("2/2 ready")
    cluster.objects.pop(deployment("tracker")[0])
    expect(page.locator("#main")).to_contain_text("There is no such service (any more).")


def test_whatever_a_user_writes_stays_text(tabs: Tabs, cluster: LiveCluster) -> None:
    cluster.add(deployment(HOSTILE), deployment("detector", ready=False))
    pod = cluster.objects["/api/v1/namespaces/default/pods/detector-7d9c8-000"]
    pod["status"] |= {"reason": HOSTILE, "conditions": []}
    event = {
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "detector-7d9c8-000"},
        "type": "Warning",
        "reason": HOSTILE,
        "message": HOSTILE,
        "lastTimestamp": "2026-11-30T10:00:00Z",
    }
    cluster.add(("/api/v1/namespaces/default/events/e", event))
    page = tabs.open(token=TOKEN)
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    page.goto(f"{tabs.address}/#/services/default/detector")
    expect(page.get_by_role("row").filter(has_text="Warning")).to_contain_text(HOSTILE)
    expect(page.get_by_role("row").filter(has_text="detector-7d9c8-000").first).to_contain_text(HOSTILE)
    assert page.locator("img").count() == 0
    page.goto(f"{tabs.address}/#/{HOSTILE}")
    expect(page.get_by_role("heading", name="No such view")).to_be_visible()
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("where", ["", "#/services/default/detector"])
def test_a_lost_connection_is_told_and_comes_back(tabs: Tabs, cluster: LiveCluster, where: str) -> None:
    cluster.add(deployment("detector"))
    tabs.lost = True
    with gse_server("--rate", "0", kubeconfig=cluster.kubeconfig) as server:
        tabs.address = server.url
        page = tabs.open(where, token=TOKEN)
        expect(page.locator("#main")).to_contain_text("2/2 ready")
    told = page.locator("#connection")
    expect(told).to_contain_text("Connection lost, trying again")
    path, item = deployment("detector")
    item["status"]["availableReplicas"] = 1
    cluster.add((path, item))
    with gse_server("--rate", "0", "--port", str(server.port), kubeconfig=cluster.kubeconfig):
        page.get_by_role("button", name="Try now").click()
        expect(page.locator("#main")).to_contain_text("not ready")
        expect(told).to_be_empty()
        page.close()
