"""What is done with a service that is there, over HTTP: status, events, logs, history, and the verbs."""

from __future__ import annotations

import threading
import time

import httpx
import pytest
from gse_server import GseServer
from kube_server import Cluster

SERVICES = "/gse/v1/namespaces/default/services"
APP = f"{SERVICES}/app"
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/app"
LABELS = {"app.kubernetes.io/managed-by": "gedge", "gedge.dev/service": "app"}
POD = "/api/v1/namespaces/default/pods/app-1"


@pytest.fixture(autouse=True)
def _app(client: httpx.Client, cluster: Cluster) -> None:
    """A service with a pod that says something."""
    answer = client.put(APP, json={"service": {"name": "app", "containers": [{"image": "app:1"}]}})
    assert answer.status_code == 200
    cluster.objects[POD] = {
        "metadata": {"name": "app-1", "namespace": "default", "labels": LABELS},
        "spec": {"nodeName": "gedgew01", "containers": [{"name": "app"}, {"name": "side"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "qosClass": "BestEffort",
                   "containerStatuses": [{"name": "app", "ready": True, "restartCount": 2, "state": {"running": {}}}]},
    }  # fmt: skip
    cluster.logs[POD] = [b"first line\n", b"second line\n"]


def code(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["type"]).rpartition("/")[2]


def test_the_status_has_the_pods(client: httpx.Client) -> None:
    status = client.get(f"{APP}/status").json()
    assert (status["ready"], status["revision"], status["rollout"]) == (True, 1, "")
    [pod] = status["pods"]
    assert (pod["name"], pod["node"], pod["restarts"], pod["address"]) == ("app-1", "gedgew01", 2, "10.0.0.1")


def test_events_are_newest_first_and_come_in_pages(client: httpx.Client, cluster: Cluster) -> None:
    for minute, about in enumerate(("app-1", "app-1", "app", "other")):
        cluster.objects[f"/api/v1/namespaces/default/events/e{minute}"] = {
            "metadata": {"name": f"e{minute}", "namespace": "default"},
            "involvedObject": {"kind": "Pod", "name": about}, "lastTimestamp": f"2026-11-30T12:0{minute}:00Z",
            "type": "Warning", "reason": "BackOff", "message": f"it happened {minute}", "count": 3,
        }  # fmt: skip
    found = client.get(f"{APP}/events").json()
    assert [one["message"] for one in found["items"]] == ["it happened 2", "it happened 1", "it happened 0"]
    assert found["items"][1]["object"] == "Pod app-1"
    first = client.get(f"{APP}/events", params={"limit": 2}).json()
    rest = client.get(f"{APP}/events", params={"limit": 2, "cursor": first["next"]}).json()
    assert first["items"] + rest["items"] == found["items"]


def test_a_log_is_read(client: httpx.Client) -> None:
    log = client.get(f"{APP}/logs")
    assert (log.status_code, log.text) == (200, "first line\nsecond line\n")
    assert log.headers["content-type"] == "text/plain; charset=utf-8"
    assert (log.headers["x-gse-pod"], log.headers["x-gse-container"]) == ("app-1", "app")
    assert client.get(f"{APP}/logs", params={"container": "side"}).headers["x-gse-container"] == "side"
    assert code(client.get(f"{APP}/logs", params={"pod": "app-2"})) == "not-found"
    assert code(client.get(f"{APP}/logs", params={"container": "other"})) == "not-found"


def test_a_container_that_has_not_started_has_no_log(client: httpx.Client, cluster: Cluster) -> None:
    cluster.refuses = lambda _, path, __: 400 if path.endswith("/log") else 0
    refused = client.get(f"{APP}/logs")
    assert (refused.status_code, code(refused)) == (409, "not-possible")
    assert "has not started" in refused.json()["detail"]
    assert "not restarted" in client.get(f"{APP}/logs", params={"previous": "true"}).json()["detail"]


def test_a_log_is_followed_as_it_comes(client: httpx.Client, cluster: Cluster) -> None:
    with client.stream("GET", f"{APP}/logs", params={"follow": "true"}) as log:
        lines = log.iter_lines()
        assert [next(lines), next(lines)] == ["first line", "second line"]
        cluster.logs[POD].append(b"third line\n")
        assert next(lines) == "third line"
        cluster.logs[POD].append(None)
        assert list(lines) == []


def test_a_log_of_which_nobody_reads_more_is_let_go(client: httpx.Client) -> None:
    with client.stream("GET", f"{APP}/logs", params={"follow": "true"}) as log:
        lines = log.iter_lines()
        assert next(lines) == "first line"
        assert "gse_logs 1.0" in client.get("/metrics").text
    end = time.monotonic() + 20
    while "gse_logs 0.0" not in client.get("/metrics").text:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_history_and_diff_tell_what_changed(client: httpx.Client) -> None:
    client.put(APP, json={"service": {"name": "app", "containers": [{"image": "app:2"}]}})
    history = client.get(f"{APP}/history").json()
    assert [(one["number"], one["runs"]) for one in history] == [(1, False), (2, True)]
    assert history[1]["differences"] == ["containers[0].image: 'app:1', now 'app:2'"]
    diff = client.get(f"{APP}/diff")
    assert diff.headers["content-type"].startswith("text/plain")
    assert "-      - image: app:1\n+      - image: app:2\n" in diff.text
    assert client.get(f"{APP}/diff", params={"old": 2, "new": 2}).text == ""
    assert code(client.get(f"{APP}/diff", params={"old": 9})) == "not-possible"


def test_the_fit_tells_how_many_hold(client: httpx.Client) -> None:
    assert client.get(f"{APP}/fit").json()["fits"]
    client.put(APP, json={"service": {"name": "app", "containers": [
        {"image": "app:1", "resources": {"requests": {"cpu": 1}}}
    ]}})  # fmt: skip
    many = client.get(f"{APP}/fit", params={"replicas": 100}).json()
    assert (many["fits"], many["placed"], many["replicas"]) == (False, 4, 100)


def test_a_service_is_scaled_taken_back_and_restarted(client: httpx.Client, cluster: Cluster) -> None:
    assert client.post(f"{APP}/scale", json={"replicas": 3}).status_code == 200
    assert cluster.objects[DEPLOYMENT]["spec"]["replicas"] == 3
    assert client.get(APP).json()["document"]["service"]["replicas"] == 3
    assert client.post(f"{APP}/rollback", json={}).status_code == 200
    assert cluster.objects[DEPLOYMENT]["spec"]["replicas"] == 1
    assert client.post(f"{APP}/rollback", json={"to": 2}).status_code == 200
    assert cluster.objects[DEPLOYMENT]["spec"]["replicas"] == 3
    assert code(client.post(f"{APP}/rollback", json={"to": 99})) == "not-possible"
    before = cluster.objects[DEPLOYMENT]["spec"]["template"]["metadata"]
    assert client.post(f"{APP}/restart").status_code == 200
    assert cluster.objects[DEPLOYMENT]["spec"]["template"]["metadata"] != before


def test_a_service_is_held_back_and_goes_on(client: httpx.Client, cluster: Cluster) -> None:
    held = client.post(f"{APP}/pause")
    assert (held.status_code, held.json()["paused"], held.json()["changed"]) == (200, True, True)
    assert client.post(f"{APP}/pause").json()["changed"] is False
    assert cluster.objects[DEPLOYMENT]["spec"]["paused"] is True
    assert client.post(f"{APP}/resume").status_code == 200
    assert not cluster.objects[DEPLOYMENT]["spec"].get("paused")


def test_what_is_not_on_trial_cannot_be_promoted(client: httpx.Client) -> None:
    assert code(client.post(f"{APP}/promote")) == "not-possible"


@pytest.mark.parametrize("verb", ["scale", "rollback", "promote", "pause", "resume", "restart"])
def test_no_verb_is_for_what_is_not_there(client: httpx.Client, verb: str) -> None:
    body = {"scale": {"replicas": 2}, "rollback": {}}.get(verb)
    assert code(client.post(f"{SERVICES}/nobody/{verb}", json=body)) == "not-found"


def test_two_at_once_do_not_mix(server: GseServer, cluster: Cluster) -> None:
    """Writers of one service at the same time: one goes through, others too or they are told of the conflict."""
    answers: list[int] = []

    def scale(replicas: int) -> None:
        with server.client("t") as client:
            answers.append(client.post(f"{APP}/scale", json={"replicas": replicas}).status_code)

    threads = [threading.Thread(target=scale, args=(count,)) for count in (2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 202, 409}
    assert {200, 202} & set(answers)
    assert cluster.objects[DEPLOYMENT]["spec"]["replicas"] in {2, 3, 4}
