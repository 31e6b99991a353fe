"""Services over HTTP: created, shown, replaced, changed, deleted."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
import yaml
from kube_server import Cluster

SERVICES = "/gse/v1/namespaces/default/services"
APP = f"{SERVICES}/app"
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/app"


def document(image: str = "app:1", name: str = "app", **more: Any) -> dict[str, Any]:
    """Return a document of a service with a port."""
    return {"service": {"name": name, "containers": [{"image": image, "ports": [{"containerPort": 80}]}], **more}}


def image_of(cluster: Cluster) -> str:
    return str(cluster.objects[DEPLOYMENT]["spec"]["template"]["spec"]["containers"][0]["image"])


def settled(client: httpx.Client, path: str = APP, limit_s: float = 30) -> dict[str, Any]:
    """Return the status of a service once its rollout has ended."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        status: dict[str, Any] = client.get(f"{path}/status").json()
        if not status["rollout"]:
            return status
        time.sleep(0.1)
    raise AssertionError(f"the rollout goes on: {status}")


def problem(answer: httpx.Response, code: str, status: int) -> dict[str, Any]:
    """Return the problem that an answer is, after a look at its form."""
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert (told["type"], told["status"], answer.status_code) == (f"/gse/v1/problems/{code}", status, status), told
    return told


def test_a_service_is_created_once(client: httpx.Client, cluster: Cluster) -> None:
    made = client.post(SERVICES, json=document())
    assert made.status_code == 200
    assert made.json()["state"] == "ready"
    assert [(one["kind"], one["action"]) for one in made.json()["changes"]] == [
        ("Deployment", "created"), ("Service", "created"),
    ]  # fmt: skip
    before = dict(cluster.objects)
    again = client.post(SERVICES, json=document())
    assert (again.status_code, again.json()["changes"], again.json()["revision"]) == (200, [], 1)
    assert cluster.objects == before
    other = problem(client.post(SERVICES, json=document("app:2")), "conflict", 409)
    assert "PUT" in other["remedy"]
    assert cluster.objects == before


def test_yaml_is_as_good_as_json(client: httpx.Client, cluster: Cluster) -> None:
    text = yaml.safe_dump(document("app:7"))
    made = client.post(SERVICES, content=text, headers={"Content-Type": "application/yaml; charset=utf-8"})
    assert made.status_code == 200
    assert image_of(cluster) == "app:7"


def test_a_dry_run_changes_nothing(client: httpx.Client, cluster: Cluster) -> None:
    before = dict(cluster.objects)
    told = client.post(SERVICES, params={"dry_run": "true"}, json=document())
    assert told.status_code == 200
    assert [one["action"] for one in told.json()["changes"]] == ["created", "created"]
    assert cluster.objects == before
    client.post(SERVICES, json=document())
    told = client.put(APP, params={"dry_run": "true"}, json=document("app:2"))
    assert {one["action"] for one in told.json()["changes"]} == {"changed", "unchanged"}
    assert image_of(cluster) == "app:1"


def test_findings_have_line_field_and_remedy(client: httpx.Client, cluster: Cluster) -> None:
    text = "service:\n  name: app\n  replica: 2\n  containers:\n    - image: app:1\n      ports: [{containerPort: x}]\n"
    wrong = client.post(SERVICES, content=text, headers={"Content-Type": "application/yaml"})
    told = problem(wrong, "invalid-document", 422)
    assert [(one["place"], one["path"]) for one in told["findings"]] == [
        ("document:3", "service.replica"), ("document:6", "service.containers[0].ports[0].containerPort"),
    ]  # fmt: skip
    assert told["findings"][0]["remedy"] == "did you mean 'replicas'?"
    assert DEPLOYMENT not in cluster.objects


def test_what_takes_longer_goes_on_after_the_answer(client: httpx.Client, cluster: Cluster) -> None:
    client.post(SERVICES, json=document("app:1"))
    begun = client.put(APP, params={"timeout_s": 3}, json=document("broken"))
    assert begun.status_code == 202
    assert begun.headers["location"] == begun.json()["status"] == f"{APP}/status"
    assert begun.json()["state"] == "rolling out"
    assert client.get(begun.headers["location"]).json()["rollout"]
    status = settled(client)
    assert status["ready"]
    assert "broken" not in image_of(cluster)  # taken back, since nothing got ready in 3 s
    history = client.get(f"{APP}/history").json()
    assert [(line["number"], line["state"], line["runs"]) for line in history] == [
        (1, "good", True),
        (2, "failed", False),
    ]


def test_put_makes_and_replaces(client: httpx.Client, cluster: Cluster) -> None:
    assert client.put(APP, json=document("app:1")).json()["revision"] == 1
    assert client.put(APP, json=document("app:2")).json()["revision"] == 2
    same = client.put(APP, json=document("app:2")).json()
    assert (same["revision"], same["state"]) == (2, "ready")
    assert image_of(cluster) == "app:2"
    problem(client.put(f"{SERVICES}/other", json=document()), "malformed-request", 400)


def test_etags_keep_two_writers_apart(client: httpx.Client, cluster: Cluster) -> None:
    client.put(APP, json=document("app:1"))
    first = client.get(APP)
    tag = first.headers["etag"]
    assert first.json()["document"]["service"]["containers"][0]["image"] == "app:1"
    unchanged = client.get(APP, headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)
    assert client.get(APP, headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.get(APP, headers={"If-None-Match": f'"other", W/{tag}'}).status_code == 304
    assert client.get(APP, headers={"If-None-Match": "*"}).status_code == 304
    problem(client.put(APP, json=document("app:9"), headers={"If-None-Match": "*"}), "precondition-failed", 412)
    assert client.put(APP, json=document("app:2"), headers={"If-Match": tag}).status_code == 200
    late = client.put(APP, json=document("app:3"), headers={"If-Match": tag})
    problem(late, "precondition-failed", 412)
    problem(client.patch(APP, json={"labels": {"a": "b"}}, headers={"If-Match": tag}), "precondition-failed", 412)
    problem(client.delete(APP, headers={"If-Match": tag}), "precondition-failed", 412)
    assert image_of(cluster) == "app:2"
    present = client.get(APP).headers["etag"]
    assert present != tag
    assert client.patch(APP, json={"labels": {"a": "b"}}, headers={"If-Match": present}).status_code == 200
    assert client.put(APP, json=document("app:4"), headers={"If-Match": "*"}).status_code == 200
    problem(
        client.put(f"{SERVICES}/new", json=document(name="new"), headers={"If-Match": "*"}), "precondition-failed", 412
    )


def test_a_put_that_only_creates(client: httpx.Client) -> None:
    place = f"{SERVICES}/fresh"
    answers = [client.put(place, json=document(name="fresh"), headers={"If-None-Match": "*"}) for _ in range(2)]
    assert answers[0].status_code in {200, 202}
    problem(answers[1], "precondition-failed", 412)


@pytest.mark.parametrize("hidden", ["/api/v1/nodes", "/api/v1/pods"])
def test_who_may_not_look_at_the_cluster_deploys_without_the_fit(
    client: httpx.Client, cluster: Cluster, hidden: str
) -> None:
    cluster.refuses = lambda _method, path, _token: 403 if path == hidden else 0
    assert client.put(APP, json=document()).status_code in {200, 202}
    settled(client)
    assert client.post(f"{APP}/scale", json={"replicas": 1}).status_code in {200, 202}
    problem(client.get(f"{APP}/fit"), "forbidden", 403)


def test_who_may_not_list_nodes_publishes_nothing(client: httpx.Client, cluster: Cluster) -> None:
    cluster.refuses = lambda _method, path, _token: 403 if path == "/api/v1/nodes" else 0
    wanted = document()
    wanted["service"]["containers"][0]["ports"][0]["externalPort"] = 30080
    problem(client.put(APP, json=wanted), "forbidden", 403)
    assert DEPLOYMENT not in cluster.objects


def test_a_port_that_is_there_is_not_taken_away_by_who_could_not_bring_it_back(
    client: httpx.Client, cluster: Cluster
) -> None:
    published = document()
    published["service"]["containers"][0]["ports"][0]["externalPort"] = 30080
    assert client.put(APP, json=published).status_code in {200, 202}
    settled(client)
    cluster.refuses = lambda _method, path, _token: 403 if path == "/api/v1/nodes" else 0
    problem(client.put(APP, json=document()), "forbidden", 403)
    assert "/api/v1/namespaces/default/services/app-external" in cluster.objects


def test_a_patch_merges_and_null_takes_away(client: httpx.Client, cluster: Cluster) -> None:
    cluster.objects["/api/v1/nodes/gedgew01"]["metadata"]["labels"] = {"kubernetes.io/os": "linux"}
    client.put(APP, json=document(labels={"tier": "front", "team": "a"}))
    answer = client.patch(
        APP, json={"labels": {"team": None, "zone": "z"}, "nodeSelector": {"kubernetes.io/os": "linux"}}
    )
    assert answer.status_code == 200
    shown = client.get(APP).json()
    assert shown["labels"] == {"tier": "front", "zone": "z"}
    assert shown["document"]["service"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
    labels = cluster.objects[DEPLOYMENT]["metadata"]["labels"]
    assert (labels["tier"], labels["zone"], "team" in labels) == ("front", "z", False)
    client.patch(APP, json={"nodeSelector": {"kubernetes.io/os": None}})
    assert "nodeSelector" not in client.get(APP).json()["document"]["service"]
    told = problem(client.patch(APP, json={"labels": {"!": "a"}}), "invalid-document", 422)
    assert "labels" in told["findings"][0]["path"]
    problem(client.patch(f"{SERVICES}/nobody", json={"labels": {}}), "not-found", 404)


def test_a_service_is_deleted_once(client: httpx.Client, cluster: Cluster) -> None:
    client.put(APP, json=document())
    assert client.delete(APP).status_code == 204
    assert [path for path in cluster.objects if "/app" in path.removeprefix("/apis/apps")] == []
    told = problem(client.delete(APP), "not-found", 404)
    assert told["instance"] == APP
    problem(client.get(APP), "not-found", 404)


@pytest.mark.parametrize("end", ["", "/status", "/events", "/history", "/diff", "/fit", "/logs"])
def test_what_is_not_there_is_not_found(client: httpx.Client, end: str) -> None:
    problem(client.get(f"{SERVICES}/nobody{end}"), "not-found", 404)


def test_a_namespace_that_is_not_there_is_not_found(client: httpx.Client) -> None:
    for detail in ("name", "summary", "full"):
        problem(client.get("/gse/v1/namespaces/nowhere/services", params={"detail": detail}), "not-found", 404)
    told = problem(client.post("/gse/v1/namespaces/nowhere/services", json=document()), "not-found", 404)
    assert "nowhere" in told["detail"]


def test_other_names_cannot_be_taken_over_unasked(client: httpx.Client, cluster: Cluster) -> None:
    foreign = {"metadata": {"name": "app", "namespace": "default"}, "spec": {"replicas": 1, "template": {"spec": {}}}}
    cluster.objects[DEPLOYMENT] = foreign
    problem(client.put(APP, json=document()), "conflict", 409)
    assert cluster.objects[DEPLOYMENT] == foreign


def test_several_are_applied_in_order_or_not_at_all(client: httpx.Client, cluster: Cluster) -> None:
    apply = "/gse/v1/namespaces/default/apply"
    both = [document(name="front", dependsOn=["back"]), document(name="back")]
    done = client.post(apply, json={"documents": both})
    assert done.status_code in {200, 202}
    for name in ("front", "back"):
        assert settled(client, f"{SERVICES}/{name}")["ready"]
    wrong = client.post(
        apply, json={"documents": [document(name="good"), {"service": {"name": "bad", "containers": []}}]}
    )
    told = problem(wrong, "invalid-document", 422)
    assert told["findings"][0]["path"].startswith("service.containers")
    assert not any("good" in path for path in cluster.objects)


def test_a_canary_and_blue_green_are_promoted_or_taken_back(client: httpx.Client, cluster: Cluster) -> None:
    client.put(APP, json=document("app:1", replicas=4))
    client.put(APP, params={"canary": 25}, json=document("app:2", replicas=4))
    trial = "/apis/apps/v1/namespaces/default/deployments/app-canary"
    assert cluster.objects[trial]["spec"]["replicas"] == 1
    problem(client.post(f"{APP}/scale", json={"replicas": 2}), "not-possible", 409)
    assert client.post(f"{APP}/promote").status_code in {200, 202}
    settled(client)
    assert (image_of(cluster), trial in cluster.objects) == ("app:2", False)
    client.put(APP, params={"blue_green": "true"}, json=document("app:3", replicas=4))
    assert client.post(f"{APP}/rollback", json={}).status_code in {200, 202}
    settled(client)
    assert image_of(cluster) == "app:2"
