"""Namespaces, nodes, limit ranges, autoscalers, and the server itself over HTTP."""

from __future__ import annotations

import copy
from typing import Any

import httpx
from gse_server import GseServer
from kube_server import NODE, Cluster

NAMESPACES = "/gse/v1/namespaces"
LIMITS = f"{NAMESPACES}/default/limit-ranges"
BOUNDS: dict[str, Any] = {
    "name": "bounds",
    "limits": [{"type": "Container", "max": {"cpu": "2"}, "defaultRequest": {"cpu": "100m"}}],
}


def code(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["type"]).rpartition("/")[2]


def test_namespaces_are_made_once_and_deleted(client: httpx.Client) -> None:
    assert [one["name"] for one in client.get(NAMESPACES).json()["items"]] == ["default"]
    made = client.put(f"{NAMESPACES}/edge")
    assert (made.status_code, made.json()["name"], made.json()["phase"]) == (201, "edge", "Active")
    again = client.put(f"{NAMESPACES}/edge")
    assert (again.status_code, again.json()) == (200, made.json())
    assert client.get(f"{NAMESPACES}/edge").json() == made.json()
    assert [one["name"] for one in client.get(NAMESPACES).json()["items"]] == ["default", "edge"]
    gone = client.delete(f"{NAMESPACES}/edge")
    assert (gone.status_code, gone.json()["phase"]) == (202, "Terminating")
    assert code(client.get(f"{NAMESPACES}/edge")) == "not-found"
    assert code(client.delete(f"{NAMESPACES}/edge")) == "not-found"


def test_a_node_is_told_with_its_pods_and_what_they_own(client: httpx.Client, cluster: Cluster) -> None:
    node = copy.deepcopy(NODE)
    node["metadata"]["labels"] = {"node-role.kubernetes.io/control-plane": "", "zone": "a"}
    node["spec"] = {"unschedulable": True, "taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}
    node["status"]["images"] = [
        {"names": ["app:1"], "sizeBytes": 10}, {"names": ["db:1", "db@sha256:1"], "sizeBytes": 30},
    ]  # fmt: skip
    cluster.objects["/api/v1/nodes/gedgew01"] = node
    limits = {"cpu": "2", "memory": "1Gi", "intel.com/vf": "1"}
    cluster.objects["/api/v1/namespaces/default/pods/app-1"] = {
        "metadata": {"name": "app-1", "namespace": "default", "labels": {"gedge.dev/service": "app"}},
        "spec": {
            "nodeName": "gedgew01",
            "containers": [{"name": "app", "resources": {"limits": limits, "requests": limits}}],
        },
        "status": {"phase": "Running", "qosClass": "Guaranteed"},
    }
    [line] = client.get("/gse/v1/nodes").json()["items"]
    assert (line["name"], line["ready"], line["schedulable"]) == ("gedgew01", True, False)
    assert (line["roles"], line["taints"], line["addresses"]) == (["control-plane"], ["k=v:NoSchedule"], ["192.0.2.1"])
    shown = client.get("/gse/v1/nodes/gedgew01").json()
    assert shown["conditions"][0]["type"] == "Ready"
    assert shown["pods"] == [{
        "namespace": "default", "name": "app-1", "service": "app", "qos": "Guaranteed", "phase": "Running",
        "pinned_cpus": 2, "devices": {"intel.com/vf": 1},
    }]  # fmt: skip
    images = client.get("/gse/v1/nodes/gedgew01/images").json()
    assert [one["size_bytes"] for one in images["items"]] == [30, 10]
    first = client.get("/gse/v1/nodes/gedgew01/images", params={"limit": 1}).json()
    rest = client.get("/gse/v1/nodes/gedgew01/images", params={"cursor": first["next"]}).json()
    assert first["items"] + rest["items"] == images["items"]
    assert code(client.get("/gse/v1/nodes/gedgew02")) == "not-found"
    assert code(client.get("/gse/v1/nodes/gedgew02/images")) == "not-found"


def test_limit_ranges_are_kept(client: httpx.Client, cluster: Cluster) -> None:
    assert client.put(f"{LIMITS}/bounds", json=BOUNDS).status_code == 200
    kept = client.get(f"{LIMITS}/bounds").json()
    assert kept["name"] == "bounds"
    assert {key: value for key, value in kept["limits"][0].items() if value} == BOUNDS["limits"][0]
    assert client.get(LIMITS).json()["items"] == [kept]
    spec = cluster.objects["/api/v1/namespaces/default/limitranges/bounds"]["spec"]
    assert spec["limits"] == BOUNDS["limits"]
    assert client.delete(f"{LIMITS}/bounds").status_code == 204
    assert code(client.delete(f"{LIMITS}/bounds")) == "not-found"
    assert code(client.get(f"{LIMITS}/bounds")) == "not-found"
    assert code(client.put(f"{NAMESPACES}/nowhere/limit-ranges/bounds", json=BOUNDS)) == "not-found"


def test_autoscalers_are_told(client: httpx.Client, cluster: Cluster) -> None:
    cluster.objects["/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/app"] = {
        "metadata": {"name": "app", "namespace": "default", "labels": {"gedge.dev/service": "app"}},
        "spec": {
            "minReplicas": 1,
            "maxReplicas": 5,
            "metrics": [],
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
        },
        "status": {"currentReplicas": 1, "desiredReplicas": 1, "conditions": []},
    }
    place = f"{NAMESPACES}/default/autoscalers"
    [line] = client.get(place).json()["items"]
    assert (line["name"], line["service"], line["min"], line["max"]) == ("app", "app", 1, 5)
    assert client.get(f"{place}/app").json() == line
    assert code(client.get(f"{place}/other")) == "not-found"


def test_the_server_tells_of_itself(client: httpx.Client, server: GseServer) -> None:
    with server.client() as nobody:
        assert nobody.get("/healthz").json() == {"status": "ok"}
        assert nobody.get("/readyz").json() == {"status": "ok"}
        kinds = nobody.get("/gse/v1/problems").json()
        assert nobody.get(kinds[0]["type"]).json() == kinds[0]
        assert code(nobody.get("/gse/v1/whoami")) == "unauthenticated"
        assert nobody.get("/gse/v1/whoami").headers["www-authenticate"] == "Bearer"
        assert nobody.get("/gse/v1/openapi.json").json()["openapi"] == "3.1.0"
        assert "<html" in nobody.get("/").text.lower()
    assert client.get("/gse/v1/whoami").json() == {"username": "somebody", "groups": ["people"]}
    figures = client.get("/metrics").text
    assert 'gse_requests_total{method="GET",path="/gse/v1/whoami",status="200"}' in figures


def test_answers_say_how_browsers_are_to_treat_them(client: httpx.Client) -> None:
    for path in ("/", "/gse/v1/nodes", "/gse/v1/nothing"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_a_method_that_is_not_for_a_path_is_told_those_that_are(client: httpx.Client) -> None:
    refused = client.delete("/gse/v1/nodes")
    assert (refused.status_code, code(refused), refused.headers["allow"]) == (405, "method-not-allowed", "GET")
    refused = client.post("/gse/v1/namespaces/default/services/app")
    assert set(refused.headers["allow"].split(", ")) == {"GET", "PUT", "PATCH", "DELETE"}
