"""Lists: pages by cursor, order, filters, how much is told."""

from __future__ import annotations

import copy
from typing import Any

import httpx
import pytest
from kube_server import NODE, Cluster

SERVICES = "/gse/v1/namespaces/default/services"


def put(cluster: Cluster, name: str, namespace: str = "default", *, ready: bool = True, **labels: str) -> None:
    """Put the Deployment of a service into the cluster, as a rollout leaves it there."""
    count = 1 if ready else 0
    cluster.objects[f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"] = {
        "metadata": {
            "name": name, "namespace": namespace, "creationTimestamp": f"2026-11-{10 + len(name):02}T00:00:00Z",
            "labels": {"app.kubernetes.io/managed-by": "gedge", "gedge.dev/service": name, **labels},
        },
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": "a:1"}]}}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": count},
    }  # fmt: skip


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["items"]]


def test_pages_end_and_hold_each_service_once(client: httpx.Client, cluster: Cluster) -> None:
    for number in range(23):
        put(cluster, f"svc-{number:02}")
    seen, cursor, pages = [], "", 0
    while cursor is not None:
        page = client.get(SERVICES, params={"limit": 5, "cursor": cursor}).json()
        assert page["total"] == 23
        assert len(page["items"]) <= 5
        seen += [one["name"] for one in page["items"]]
        cursor, pages = page["next"], pages + 1
    assert seen == [f"svc-{number:02}" for number in range(23)]
    assert pages == 5


def test_pages_go_on_while_services_come_and_go(client: httpx.Client, cluster: Cluster) -> None:
    for number in range(0, 20, 2):
        put(cluster, f"svc-{number:02}")
    first = client.get(SERVICES, params={"limit": 4}).json()
    assert [one["name"] for one in first["items"]] == ["svc-00", "svc-02", "svc-04", "svc-06"]
    del cluster.objects["/apis/apps/v1/namespaces/default/deployments/svc-06"]  # where the page ended
    put(cluster, "svc-03")  # before it
    put(cluster, "svc-09")  # after it
    rest = client.get(SERVICES, params={"limit": 500, "cursor": first["next"]})
    assert names(rest) == ["svc-08", "svc-09", "svc-10", "svc-12", "svc-14", "svc-16", "svc-18"]
    assert rest.json()["next"] is None


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["a", "bbb", "cc"]), ("-name", ["cc", "bbb", "a"]), ("created", ["a", "cc", "bbb"]),
        ("-created", ["bbb", "cc", "a"]), ("ready", ["bbb", "a", "cc"]), ("-ready", ["cc", "a", "bbb"]),
    ],
)  # fmt: skip
def test_the_order_is_as_asked_for_on_one_page_and_on_many(
    client: httpx.Client, cluster: Cluster, sort: str, expected: list[str]
) -> None:
    for name in ("cc", "a", "bbb"):
        put(cluster, name, ready=name != "bbb")
    assert names(client.get(SERVICES, params={"sort": sort})) == expected
    first = client.get(SERVICES, params={"sort": sort, "limit": 1})
    rest = client.get(SERVICES, params={"sort": sort, "cursor": first.json()["next"]})
    assert names(first) + names(rest) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"name": "web"}, ["web-1", "web-2"]), ({"name": "nothing"}, []), ({"ready": "true"}, ["db", "web-1"]),
        ({"ready": "false"}, ["web-2"]), ({"label": "tier=front"}, ["web-1"]), ({"label": "tier=none"}, []),
        ({"name": "web", "ready": "true"}, ["web-1"]), ({"ready": "false", "detail": "name"}, ["web-2"]),
        ({"label": "app.kubernetes.io/managed-by=helm"}, []),
        ({"label": "tier=front", "detail": "name"}, ["web-1"]),
    ],
    ids=str,
)  # fmt: skip
def test_filters_leave_those_that_are_asked_for(
    client: httpx.Client, cluster: Cluster, query: dict[str, str], expected: list[str]
) -> None:
    put(cluster, "web-1", tier="front")
    put(cluster, "web-2", ready=False, tier="back")
    put(cluster, "db")
    answer = client.get(SERVICES, params=query)
    assert names(answer) == expected
    assert answer.json()["total"] == len(expected)


def test_detail_says_how_much_is_told(client: httpx.Client) -> None:
    service = {"name": "app", "containers": [{"image": "app:1"}]}
    client.put(f"{SERVICES}/app", json={"service": service})

    def told(detail: str) -> dict[str, Any]:
        [item] = client.get(SERVICES, params={"detail": detail}).json()["items"]
        return {key: value for key, value in item.items() if value is not None}

    assert told("name") == {"name": "app", "namespace": "default"}
    summary = told("summary")
    assert (summary["ready"], summary["detail"], summary["urls"]) == (True, "1/1 ready", [])
    assert "document" not in summary
    full = told("full")
    assert full == {**summary, "revision": 1, "document": {"service": service}}


def test_services_of_all_namespaces_are_in_one_list(client: httpx.Client, cluster: Cluster) -> None:
    client.put("/gse/v1/namespaces/other")
    put(cluster, "app")
    put(cluster, "app", "other")
    items = client.get("/gse/v1/services").json()["items"]
    assert [(one["namespace"], one["name"]) for one in items] == [("default", "app"), ("other", "app")]
    assert names(client.get("/gse/v1/namespaces/other/services")) == ["app"]
    first = client.get("/gse/v1/services", params={"limit": 1}).json()
    second = client.get("/gse/v1/services", params={"limit": 1, "cursor": first["next"]}).json()
    assert [one["namespace"] for one in first["items"] + second["items"]] == ["default", "other"]


def test_many_nodes_are_read_page_by_page(client: httpx.Client, cluster: Cluster) -> None:
    for number in range(450):
        node = copy.deepcopy(NODE)
        node["metadata"]["name"] = f"n{number:03}"
        cluster.objects[f"/api/v1/nodes/n{number:03}"] = node
    page = client.get("/gse/v1/nodes", params={"limit": 500}).json()
    assert (len(page["items"]), page["total"], page["next"]) == (451, 451, None)
    asked = [path for method, path, _ in cluster.asked if method == "GET" and path.startswith("/api/v1/nodes?")]
    assert len(asked) == 3  # of 200 each


def test_a_cursor_is_of_one_list(client: httpx.Client, cluster: Cluster) -> None:
    for number in range(3):
        put(cluster, f"svc-{number}")
    cursor = client.get(SERVICES, params={"limit": 1}).json()["next"]
    assert client.get(SERVICES, params={"limit": 2, "cursor": cursor}).status_code == 200
    for path, more in (("/gse/v1/services", {}), ("/gse/v1/nodes", {}), (SERVICES, {"sort": "-name"})):
        answer = client.get(path, params={"cursor": cursor, **more})
        assert (answer.status_code, answer.json()["detail"]) == (400, "this is no cursor of this list")
