"""Watches over HTTP: what there is, then every change; how they end."""

from __future__ import annotations

import copy
import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from gse_server import GseServer
from kube_server import NODE, Cluster

SERVICES = "/gse/v1/watch/services"
APPS = "/apis/apps/v1/namespaces/default/deployments"
Event = tuple[str, Any]


def deployment(name: str, *, ready: bool = True, **labels: str) -> dict[str, Any]:
    """Return the Deployment of a service."""
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {
            "app.kubernetes.io/managed-by": "gedge", "gedge.dev/service": name, **labels,
        }},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": "a:1"}]}}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": int(ready)},
    }  # fmt: skip


@contextmanager
def watching(client: httpx.Client, path: str = SERVICES, **query: str) -> Iterator[Iterator[Event]]:
    """Open a watch, and give its events: type and data."""
    with client.stream("GET", path, params=query) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer.iter_lines())


def events(lines: Iterator[str]) -> Iterator[Event]:
    type_ = ""
    number = -1
    for line in lines:
        key, _, value = line.partition(": ")
        if key == "event":
            type_ = value
        elif key == "id":
            assert int(value) >= number
            number = int(value)
        elif key == "data":
            yield type_, json.loads(value)


def until_synced(found: Iterator[Event]) -> list[str]:
    """Return the names that are told first."""
    names = []
    for type_, data in found:
        if type_ == "synced":
            return names
        assert type_ == "added"
        names.append(data["name"])
    raise AssertionError("the watch ended before it was synced")


@pytest.fixture
def token(request: pytest.FixtureRequest) -> str:
    """One of its own for each test: callers with one token share what is watched."""
    return "watcher-" + "".join(char for char in request.node.name if char.isalnum())


@pytest.fixture
def watcher(server: GseServer, token: str) -> Iterator[httpx.Client]:
    with server.client(token) as client:
        yield client


def test_services_are_told_and_then_what_becomes_of_them(watcher: httpx.Client, cluster: Cluster) -> None:
    cluster.objects[f"{APPS}/one"] = deployment("one")
    cluster.objects[f"{APPS}/two"] = deployment("two")
    with watching(watcher) as found:
        assert until_synced(found) == ["one", "two"]
        cluster.objects[f"{APPS}/three"] = deployment("three", ready=False)
        type_, line = next(found)
        assert (type_, line["name"], line["ready"]) == ("added", "three", False)
        cluster.objects[f"{APPS}/three"] = deployment("three")
        type_, line = next(found)
        assert (type_, line["name"], line["ready"]) == ("modified", "three", True)
        listed = watcher.get("/gse/v1/services", params={"name": "three"}).json()["items"][0]
        assert line == {key: value for key, value in listed.items() if key not in {"revision", "document"}}
        del cluster.objects[f"{APPS}/one"]
        type_, line = next(found)
        assert (type_, line["name"]) == ("deleted", "one")


def test_what_no_line_tells_is_no_event(watcher: httpx.Client, cluster: Cluster) -> None:
    cluster.objects[f"{APPS}/one"] = deployment("one")
    with watching(watcher) as found:
        assert until_synced(found) == ["one"]
        cluster.objects[f"{APPS}/one"] = deployment("one", colour="red")
        cluster.objects[f"{APPS}/two"] = deployment("two")
        assert next(found)[1]["name"] == "two"


def test_a_watch_of_a_namespace_tells_of_that_alone(watcher: httpx.Client, cluster: Cluster) -> None:
    other = deployment("other")
    other["metadata"]["namespace"] = "edge"
    cluster.objects["/api/v1/namespaces/edge"] = {"metadata": {"name": "edge"}}
    with watching(watcher, namespace="edge") as found:
        assert until_synced(found) == []
        cluster.objects[f"{APPS}/here"] = deployment("here")
        cluster.objects["/apis/apps/v1/namespaces/edge/deployments/other"] = other
        assert next(found)[1]["name"] == "other"


def test_nodes_are_told(watcher: httpx.Client, cluster: Cluster) -> None:
    with watching(watcher, "/gse/v1/watch/nodes") as found:
        assert until_synced(found) == ["gedgew01"]
        second = copy.deepcopy(NODE)
        second["metadata"]["name"] = "gedgew02"
        cluster.objects["/api/v1/nodes/gedgew02"] = second
        assert (type_line := next(found))[0] == "added"
        assert type_line[1]["name"] == "gedgew02"
        cluster.objects["/api/v1/nodes/gedgew02"] = {**second, "spec": {"unschedulable": True}}
        type_, line = next(found)
        assert (type_, line["schedulable"]) == ("modified", False)


def test_clients_with_one_token_share_what_is_watched(
    watcher: httpx.Client, server: GseServer, cluster: Cluster, token: str
) -> None:
    with watching(watcher) as first, server.client(token) as other, watching(other) as second:
        assert until_synced(first) == until_synced(second) == []
        own = [path for _, path, bearer in cluster.asked if "watch=true" in path and bearer == token]
        assert len(own) == 4  # Deployments, StatefulSets, Services and autoscalers once
        cluster.objects[f"{APPS}/one"] = deployment("one")
        assert next(first) == next(second)


def test_a_watch_goes_on_when_the_api_server_comes_back(watcher: httpx.Client, cluster: Cluster) -> None:
    cluster.objects[f"{APPS}/one"] = deployment("one")
    with watching(watcher) as found:
        assert until_synced(found) == ["one"]
        cluster.away = True
        time.sleep(1)
        cluster.objects[f"{APPS}/two"] = deployment("two")
        cluster.oldest = 10**9  # it no longer knows what was before
        cluster.away = False
        time.sleep(0.5)
        cluster.oldest = 0
        assert [next(found)[1]["name"]] == ["two"]
        del cluster.objects[f"{APPS}/one"]
        type_, line = next(found)
        assert (type_, line["name"]) == ("deleted", "one")


@pytest.mark.parametrize(("status", "code"), [(401, "unauthenticated"), (403, "forbidden")])
def test_a_watch_ends_with_a_problem_when_the_token_does(
    watcher: httpx.Client, cluster: Cluster, token: str, status: int, code: str
) -> None:
    with watching(watcher) as found:
        until_synced(found)
        cluster.refuses = lambda _method, _path, bearer: status if bearer == token else 0
        cluster.failing = 500  # the watch breaks off, and is begun again
        time.sleep(0.3)
        cluster.failing = 0
        type_, told = next(found)
        assert type_ == "problem"
        assert told["type"] == f"/gse/v1/problems/{code}"
        assert list(found) == []


@pytest.mark.parametrize(("status", "code"), [(401, "unauthenticated"), (403, "forbidden")])
def test_who_may_not_watch_is_told_so_at_once(
    watcher: httpx.Client, cluster: Cluster, token: str, status: int, code: str
) -> None:
    cluster.refuses = lambda _method, _path, bearer: status if bearer == token else 0
    answer = watcher.get(SERVICES)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/gse/v1/problems/{code}")
    cluster.refuses = lambda *_: 0
    with watching(watcher) as found:
        assert until_synced(found) == []


def test_a_slow_reader_is_dropped_and_others_are_not(
    server: GseServer, watcher: httpx.Client, cluster: Cluster, token: str
) -> None:
    with _unread(server, "watch/nodes", token), watching(watcher, "/gse/v1/watch/nodes") as found:
        until_synced(found)
        dropped = f"gse_streams_dropped_total {_dropped(watcher) + 1:.1f}"
        for turn in range(12):  # more than the buffers of its connection hold
            _change(cluster, 50, f"{turn}-{'x' * 16_000}")
            seen = {line["name"] for _, line in (next(found) for _ in range(50))}
            assert len(seen) == 50
        end = time.monotonic() + 60
        while dropped not in watcher.get("/metrics").text:
            assert time.monotonic() < end
            time.sleep(0.2)
    assert "ASGI" not in server.printed()


@contextmanager
def _unread(server: GseServer, path: str, token: str) -> Iterator[ssl.SSLSocket]:
    """Ask for something and leave the answer, of which the kernels keep little on the way."""
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(60)
        plain.connect(("127.0.0.1", server.port))
        with server.context.wrap_socket(plain, server_hostname="localhost") as slow:
            asked = f"GET /gse/v1/{path} HTTP/1.1\r\nHost: gse\r\nAuthorization: Bearer {token}\r\n\r\n"
            slow.sendall(asked.encode())
            yield slow


def _change(cluster: Cluster, count: int, noise: str) -> None:
    """Give many nodes another label."""
    for number in range(count):
        node = copy.deepcopy(NODE)
        node["metadata"] = {"name": f"noisy-{number}", "labels": {"noise": noise}}
        cluster.objects[f"/api/v1/nodes/noisy-{number}"] = node


def _dropped(client: httpx.Client) -> float:
    text = client.get("/metrics").text
    return float(text.partition("\ngse_streams_dropped_total ")[2].split()[0])
