"""While the Kubernetes API is away, fails or starts, answers are 503 and say when to ask again; no token is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from gse_server import SECRET, TOKEN, GseServer, gse_server
from kube_server import Cluster

NS = "/gse/v1/namespaces/default"
APP = f"{NS}/services/app"
SERVICE: dict[str, Any] = {"service": {"name": "app", "containers": [{"image": "app:1"}]}}
READS = (
    "/gse/v1/whoami", "/gse/v1/namespaces", "/gse/v1/namespaces/default", "/gse/v1/nodes", "/gse/v1/nodes/gedgew01",
    "/gse/v1/nodes/gedgew01/images", "/gse/v1/services", f"{NS}/services", APP, f"{APP}/status", f"{APP}/events",
    f"{APP}/logs", f"{APP}/history", f"{APP}/diff", f"{APP}/fit", f"{NS}/templates", f"{NS}/templates/web",
    f"{NS}/meshes", f"{NS}/meshes/shop", f"{NS}/meshes/shop/status", f"{NS}/limit-ranges", f"{NS}/autoscalers",
    "/gse/v1/watch/services", "/gse/v1/watch/nodes", "/readyz",
)  # fmt: skip
WRITES: tuple[tuple[str, str, Any], ...] = (
    ("POST", f"{NS}/services", SERVICE), ("PUT", APP, SERVICE), ("PATCH", APP, {"labels": {"a": "b"}}),
    ("DELETE", APP, None), ("POST", f"{APP}/scale", {"replicas": 2}), ("POST", f"{APP}/rollback", {}),
    ("POST", f"{APP}/restart", None), ("POST", f"{APP}/pause", None), ("POST", f"{APP}/resume", None),
    ("POST", f"{APP}/promote", None), ("POST", f"{NS}/apply", {"documents": [SERVICE]}), ("POST", f"{NS}/fit", SERVICE),
    ("POST", f"{NS}/schedule-hint", SERVICE), ("PUT", "/gse/v1/namespaces/edge", None),
    ("DELETE", "/gse/v1/namespaces/default", None), ("DELETE", f"{NS}/templates/web", None),
    ("DELETE", f"{NS}/meshes/shop", None), ("DELETE", f"{NS}/limit-ranges/a", None),
    ("POST", f"{NS}/templates", {"template": {"name": "web", "service": {"containers": [{"image": "a"}]}}}),
    ("PUT", f"{NS}/limit-ranges/a", {"name": "a", "limits": [{"type": "Pod", "max": {"cpu": "1"}}]}),
)  # fmt: skip


def unavailable(answer: httpx.Response) -> bool:
    """Tell whether an answer says that the API server is away, and when to ask again."""
    assert answer.headers["content-type"] == "application/problem+json", (answer.url, answer.text)
    told = answer.json()
    return bool(
        answer.status_code == 503
        and told["type"] == "/gse/v1/problems/cluster-unavailable"
        and int(answer.headers["retry-after"]) > 0
    )


@pytest.mark.parametrize("trouble", ["away", "500", "503", "504"])
def test_every_answer_is_a_503_until_it_is_back(client: httpx.Client, cluster: Cluster, trouble: str) -> None:
    assert client.put(APP, json=SERVICE).status_code == 200
    before = dict(cluster.objects)
    cluster.away, cluster.failing = trouble == "away", 0 if trouble == "away" else int(trouble)
    wrong = [path for path in READS if not unavailable(client.get(path))]
    wrong += [
        f"{method} {path}" for method, path, body in WRITES if not unavailable(client.request(method, path, json=body))
    ]
    assert wrong == []
    assert client.get("/healthz").status_code == 200
    cluster.away, cluster.failing = False, 0
    assert client.get("/readyz").status_code == 200
    assert client.get(f"{APP}/status").json()["ready"]
    assert client.post(f"{APP}/scale", json={"replicas": 2}).status_code == 200
    assert before.keys() <= cluster.objects.keys()


@pytest.mark.parametrize("refusal", [401, 403, 404])
def test_a_refusal_of_an_api_server_that_starts_is_not_passed_on(
    client: httpx.Client, cluster: Cluster, refusal: int
) -> None:
    client.put(APP, json=SERVICE)
    cluster.away = True
    assert unavailable(client.get(APP))
    cluster.away, cluster.ready = False, False
    cluster.refuses = lambda *_: refusal
    assert unavailable(client.get(APP))
    assert unavailable(client.get("/gse/v1/nodes"))
    assert unavailable(client.delete(APP))
    cluster.ready = True
    assert client.get("/gse/v1/nodes").status_code == refusal  # now it counts
    cluster.refuses = lambda *_: 0
    assert client.get(APP).status_code == 200


def test_a_busy_api_server_is_asked_again(client: httpx.Client, cluster: Cluster) -> None:
    counted = iter([429, 429])
    cluster.refuses = lambda *_: next(counted, 0)
    assert client.get("/gse/v1/nodes").status_code == 200


@pytest.mark.parametrize(("status", "code"), [(401, "unauthenticated"), (403, "forbidden")])
def test_what_kubernetes_refuses_is_refused(client: httpx.Client, cluster: Cluster, status: int, code: str) -> None:
    client.put(APP, json=SERVICE)
    cluster.refuses = lambda *_: status
    before = dict(cluster.objects)
    requests = [("GET", path, None) for path in READS if path != "/readyz"] + list(WRITES)
    wrong = []
    for method, path, body in requests:
        answer = client.request(method, path, json=body)
        if (answer.status_code, answer.json()["type"]) != (status, f"/gse/v1/problems/{code}"):
            wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []
    assert cluster.objects == before


def test_what_is_written_half_is_told_and_goes_on_later(client: httpx.Client, cluster: Cluster) -> None:
    """The API server goes away between two objects of a service: the answer is a 503, and the same again mends it."""
    with_port = {"service": {"name": "app", "containers": [{"image": "a:1", "ports": [{"containerPort": 80}]}]}}

    def fails(method: str, path: str, _token: str) -> int:
        return 503 if method == "PATCH" and path.endswith("/services/app") else 0

    cluster.refuses = fails
    answer = client.put(APP, params={"timeout_s": 1}, json=with_port)
    assert answer.status_code in {202, 503}
    cluster.refuses = lambda *_: 0
    for _ in range(100):
        if client.put(APP, json=with_port).status_code == 200:
            break
    status = client.get(f"{APP}/status").json()
    assert status["ready"], status
    assert "/api/v1/namespaces/default/services/app" in cluster.objects


def test_no_token_and_no_secret_is_told(cluster: Cluster, kubeconfig: Path) -> None:
    """Everything the server says, at its most talkative: its output, its answers, its figures."""
    said: list[str] = []
    with gse_server("--rate", "0", "--log-level", "debug", kubeconfig=kubeconfig) as server:
        _talk(server, cluster, said)
    said.append(server.printed())
    own = {"t"} | {token for _, _, token in cluster.asked if token}
    assert own == {"t", TOKEN}  # the token of the caller went to the API server, the kubeconfig's did not
    assert "t" not in {token for _, _, token in cluster.asked}
    for text in said:
        for word in (TOKEN, SECRET, "Bearer tell", str(kubeconfig), "Traceback"):
            assert word not in text


def _talk(server: GseServer, cluster: Cluster, said: list[str]) -> None:
    cluster.objects["/api/v1/namespaces/default/secrets/keys"] = {
        "metadata": {"name": "keys", "namespace": "default"}, "data": {"key": SECRET},
    }  # fmt: skip
    container = {
        "image": "app:1",
        "env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "key"}}}],
    }
    documents = [SERVICE, {"service": {"name": "app", "containers": [container]}}]
    with server.client(TOKEN) as client:
        for trouble in (401, 403, 409, 500):
            cluster.refuses = lambda *_, status=trouble: status
            for method, path, body in [("GET", path, None) for path in READS if "watch" not in path] + list(WRITES):
                answer = client.request(method, path, json=body)
                said += [answer.text, str(answer.headers)]
        cluster.refuses = lambda *_: 0
        cluster.away = True
        said += [client.get(path).text for path in READS]
        cluster.away = False
        for document in documents:
            said.append(
                client.put(APP, content=json.dumps(document), headers={"Content-Type": "application/json"}).text
            )
        said += [client.get(path).text for path in (*READS[:-3], "/metrics", "/gse/v1/problems", "/")]
