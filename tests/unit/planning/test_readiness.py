from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gedge_provision.models.cluster import DeploymentState, Event, PodState, ReplicaSetState, StatefulSetState
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


def test_a_node_that_went_away_is_named() -> None:
    """The event is the node controller's (pkg/controller/nodelifecycle: RecordNodeStatusChange, MarkPodsNotReady)."""
    data = recorded("probe")
    pod = data["pods"][0]
    involved = {"kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
    data["events"] += [
        {"involvedObject": involved, "type": "Warning", "reason": "NodeNotReady", "message": "Node is not ready"}
    ]
    trouble = judge(data).trouble
    assert trouble is not None
    assert trouble.message.endswith(f"its node {pod['spec']['nodeName']} does not answer")


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


NEW = "store-5f7d"


def stateful(pods: list[tuple[str, bool]], events: Sequence[dict[str, Any]] = (), **status: Any) -> Snapshot:
    """Return a StatefulSet of two replicas in the words of apps/v1, with pods by revision and readiness."""
    told = {"observedGeneration": 1, "updateRevision": NEW, "replicas": len(pods), **status}
    return Snapshot(
        StatefulSetState.model_validate(
            {"metadata": {"name": "store", "uid": "s", "generation": 1}, "spec": {"replicas": 2}, "status": told}
        ),
        pods=tuple(
            PodState.model_validate(
                {
                    "metadata": {
                        "name": f"store-{number}",
                        "labels": {"controller-revision-hash": revision},
                        "ownerReferences": [{"uid": "s"}],
                    },
                    "status": {
                        "phase": "Running" if ready else "Pending",
                        "conditions": [{"type": "Ready", "status": str(ready)}],
                    },
                }
            )
            for number, (revision, ready) in enumerate(pods)
        ),
        events=tuple(Event.model_validate(event) for event in events),
    )


def test_a_stateful_set_is_ready_when_all_pods_are_of_its_newest_revision() -> None:
    done = stateful([(NEW, True)] * 2, updatedReplicas=2, availableReplicas=2)
    assert assess(done) == Readiness(ready=True, detail="2/2 ready")
    half = stateful([(NEW, True), ("store-old", True)], updatedReplicas=1, availableReplicas=2)
    assert [pod.name for pod in current_pods(half)] == ["store-0"]
    assert assess(half).detail == "1/2 ready, waiting for pods"


def test_pods_of_a_stateful_set_that_are_refused_are_told_as_long_as_they_lack() -> None:
    refused = {
        "involvedObject": {"uid": "s"},
        "type": "Warning",
        "reason": "FailedCreate",
        "message": 'create Pod store-1 in StatefulSet store failed error: pods "store-1" is forbidden: exceeded quota',
    }
    trouble = assess(stateful([(NEW, True)], [refused], updatedReplicas=1, availableReplicas=1)).trouble
    assert trouble is not None
    assert "exceeded quota" in trouble.message
    assert not trouble.final  # the event may be of an hour ago
    later = stateful([(NEW, True), (NEW, False)], [refused], updatedReplicas=2, availableReplicas=1)
    assert assess(later).trouble is None
