from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gedge_provision.models.cluster import DeploymentState, Event, PodState, ReplicaSetState
from gedge_provision.planning.readiness import Readiness, Snapshot, assess, current_pods

RECORDED = Path(__file__).parents[2] / "fixtures" / "services" / "recorded"


def recorded(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return data


def judge(data: dict[str, Any]) -> Readiness:
    return assess(snapshot(data))


def snapshot(data: dict[str, Any]) -> Snapshot:
    return Snapshot(
        DeploymentState.model_validate(data["deployment"]),
        tuple(ReplicaSetState.model_validate(item) for item in data["replica_sets"]),
        tuple(PodState.model_validate(item) for item in data["pods"]),
        tuple(Event.model_validate(item) for item in data["events"]),
    )


@pytest.mark.parametrize(
    ("name", "said", "final"),
    [
        ("unschedulable", "has no node: 0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insuff", False),
        ("quota", "the cluster refuses its pods: pods", True),
        ("img", "container img: image k8s.gcr.io/none:1: ImagePullBackOff", False),
        ("name", "container name: image Bad//Name:1: InvalidImageName", True),
        ("crash", "container crash: ended with 1 (Error), 2 restarts", False),
        ("nocmd", 'exec: "/no/such": stat /no/such: no such file or directory', False),
        ("oom", "ended with 137 (OOMKilled), 3 restarts: it used more memory than its limit", True),
        ("probe", "runs but is not ready: Readiness probe failed: dial tcp", False),
        ("refused", "the kubelet of gedgew01 refuses pod refused-5d48b9c684-", True),
    ],
)
def test_recorded_troubles_are_named(name: str, said: str, *, final: bool) -> None:
    readiness = judge(recorded(name))
    assert not readiness.ready
    assert readiness.trouble is not None
    assert said in readiness.trouble.message
    assert readiness.trouble.remedy
    assert readiness.trouble.final is final


def test_a_running_service_is_ready() -> None:
    assert judge(recorded("ready")) == Readiness(ready=True, detail="1/1 ready")


@pytest.mark.parametrize("name", ["crash", "nocmd", "oom"])
def test_a_crash_names_whose_last_words_to_read(name: str) -> None:
    data = recorded(name)
    trouble = judge(data).trouble
    assert trouble is not None
    assert trouble.crashed == (data["pods"][0]["metadata"]["name"], name)


def test_a_pod_that_has_just_started_is_no_trouble() -> None:
    data = recorded("probe")
    data["events"] = []
    readiness = judge(data)
    assert readiness.trouble is None
    assert readiness.detail.endswith("waits for its port to answer")


def test_two_refusals_are_no_verdict_yet() -> None:
    data = recorded("refused")
    data["pods"] = [pod for pod in data["pods"] if pod["status"]["phase"] == "Failed"][:2]
    trouble = judge(data).trouble
    assert trouble is not None
    assert not trouble.final


def test_a_change_that_the_controller_has_not_seen_is_not_ready() -> None:
    data = recorded("unschedulable")
    data["deployment"]["metadata"]["generation"] += 1
    assert judge(data) == Readiness(ready=False, detail="waiting for the cluster to take notice")


def test_pods_of_an_older_revision_and_ending_pods_do_not_count() -> None:
    data = recorded("unschedulable")
    everybody = current_pods(snapshot(data))
    data["pods"][0]["metadata"]["deletionTimestamp"] = "2026-11-23T00:00:00Z"
    assert len(current_pods(snapshot(data))) == len(everybody) - 1
    newer = json.loads(json.dumps(data["replica_sets"][0]))
    newer["metadata"]["uid"] = "newer"
    newer["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "10"
    data["replica_sets"].append(newer)
    assert current_pods(snapshot(data)) == ()
    assert judge(data).trouble is None
