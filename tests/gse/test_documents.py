"""Documents over HTTP: checked, rendered, fitted; templates and meshes that a namespace keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
from kube_server import Cluster

NS = "/gse/v1/namespaces/default"
MESHES = Path(__file__).parents[2] / "examples" / "meshes"
SERVICE: dict[str, Any] = {"service": {"name": "app", "containers": [{"image": "app:1"}]}}
TEMPLATE: dict[str, Any] = {"template": {"name": "web", "service": {"containers": [{"image": "web:1"}]}}}


def code(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["type"]).rpartition("/")[2]


def test_documents_are_checked_rendered_and_fitted_and_nothing_is_changed(
    client: httpx.Client, cluster: Cluster
) -> None:
    before = dict(cluster.objects)
    checked = client.post(f"{NS}/check", json=SERVICE).json()
    assert (checked["kind"], checked["name"]) == ("service", "app")
    misspelled = {"service": {"name": "app", "containers": [
        {"image": "a", "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "acceleration": {"toploygyAware": True}}}
    ]}}  # fmt: skip
    notes = client.post(f"{NS}/check", json=misspelled).json()["notes"]
    assert any("toploygyAware" in note for note in notes)
    assert client.post(f"{NS}/check", json=TEMPLATE).json()["kind"] == "template"
    rendered = client.post(f"{NS}/render", json=SERVICE).json()
    assert [one["kind"] for one in rendered] == ["Deployment"]
    fit = client.post(f"{NS}/fit", json=SERVICE).json()
    assert fit["fits"]
    hint = client.post(f"{NS}/schedule-hint", json=SERVICE).json()
    assert hint["node_selector"] == {"kubernetes.io/hostname": "gedgew01"}
    large = {"service": {"name": "app", "containers": [{"image": "a", "resources": {"requests": {"cpu": 64}}}]}}
    hint = client.post(f"{NS}/schedule-hint", json=large).json()
    assert (hint["fits"], hint["node_selector"]) == (False, {})
    assert hint["nodes"][0]["obstacles"]
    assert code(client.put(f"{NS}/services/app", json=large)) == "not-fitting"
    assert cluster.objects == before


def test_templates_are_kept_and_services_take_them(client: httpx.Client, cluster: Cluster) -> None:
    made = client.post(f"{NS}/templates", json=TEMPLATE)
    assert (made.status_code, made.json()["document"]) == (201, TEMPLATE)
    assert client.post(f"{NS}/templates", json=TEMPLATE).status_code == 200
    other = {"template": {"name": "web", "service": {"containers": [{"image": "web:2"}]}}}
    assert code(client.post(f"{NS}/templates", json=other)) == "conflict"
    assert client.put(f"{NS}/templates/web", json=other).status_code == 201
    assert client.put(f"{NS}/templates/web", json=other).status_code == 200
    assert client.get(f"{NS}/templates/web").json()["document"] == other
    assert [one["name"] for one in client.get(f"{NS}/templates").json()["items"]] == ["web"]
    client.put(f"{NS}/services/shop", json={"service": {"name": "shop", "template": "web"}})
    deployment = cluster.objects["/apis/apps/v1/namespaces/default/deployments/shop"]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"
    assert client.delete(f"{NS}/templates/web").status_code == 204
    assert code(client.delete(f"{NS}/templates/web")) == "not-found"
    assert code(client.get(f"{NS}/templates/web")) == "not-found"
    told = client.post(f"{NS}/services", json={"service": {"name": "late", "template": "web"}})
    assert code(told) == "invalid-document"


def test_a_template_is_made_of_a_service(client: httpx.Client) -> None:
    assert code(client.post(f"{NS}/templates", json={"from_service": "app", "name": "again"})) == "not-found"
    client.put(f"{NS}/services/app", json=SERVICE)
    made = client.post(f"{NS}/templates", json={"from_service": "app", "name": "again"})
    assert made.status_code == 201
    containers = [{"image": "app:1"}]
    assert made.json()["document"] == {"template": {"name": "again", "service": {"containers": containers}}}


def test_a_mesh_is_applied_shown_and_deleted(client: httpx.Client) -> None:
    template = {"template": {"name": "page", "service": {"containers": [
        {"image": "page:1", "ports": [{"containerPort": 8080}]}
    ]}}}  # fmt: skip
    client.post(f"{NS}/templates", json=template)
    text = json.loads((MESHES / "service-mesh2.json").read_text(encoding="utf-8"))
    mesh = text["serviceMesh"]
    for entry in mesh["services"]:
        entry["template"] = "page"
    place = f"{NS}/meshes/{mesh['name']}"
    assert code(client.get(place)) == "not-found"
    assert client.post(f"{NS}/check", json=text).json()["kind"] == "mesh"
    assert client.put(place, json=text).status_code in {200, 202}
    assert client.get(f"{place}/status").json()["name"] == mesh["name"]
    assert client.get(place).json()["document"]["serviceMesh"]["name"] == mesh["name"]
    assert [one["name"] for one in client.get(f"{NS}/meshes").json()["items"]] == [mesh["name"]]
    assert client.delete(place).status_code in {202, 204}
    assert code(client.get(place)) == "not-found"
