"""The examples of the API's pages: every operation has one, and each is carried out as it stands."""

from __future__ import annotations

import json
import re
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from kube_server import Cluster

from gedge_provision.gse import openapi_document

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gse-api-examples.md"
EXAMPLE = re.compile(
    r"^## (?P<operation>\w+)[^\n]*\n\n.*?^```sh\n(?P<command>curl .*?)```\n\n"
    r"Answer (?P<status>\d+)(?P<empty>, without a body)?"
    r"(?::\n\n```(?P<kind>json|text)\n(?P<answer>.*?)```)?",
    re.MULTILINE | re.DOTALL,
)
LABELS = {"app.kubernetes.io/managed-by": "gedge", "gedge.dev/service": "app"}


@dataclass(frozen=True)
class Example:
    """A request, and the answer that the page shows."""

    operation: str
    method: str
    path: str
    headers: dict[str, str]
    body: str
    status: int
    kind: str
    answer: str


def examples() -> list[Example]:
    """Return the examples, in the order of the page."""
    found = []
    for match in EXAMPLE.finditer(PAGE.read_text(encoding="utf-8")):
        words = iter(shlex.split(match["command"].replace("\\\n", " "))[1:])
        method, path, headers, body = "", "", {}, ""
        for word in words:
            if word == "-X":
                method = next(words)
            elif word == "-H":
                key, _, value = next(words).partition(": ")
                headers[key] = value
            elif word == "--json":
                body, headers["Content-Type"] = next(words), "application/json"
            elif word == "--data-binary":
                body = next(words)
            elif word != "-N":
                path = word.removeprefix("$GSE")
        found.append(
            Example(
                match["operation"], method or ("POST" if body else "GET"), path, headers, body, int(match["status"]),
                match["kind"] or "", match["answer"] or "",
            )
        )  # fmt: skip
    return found


def operation_of(method: str, path: str) -> str:
    """Return the operation of a request."""
    for pattern, operations in openapi_document()["paths"].items():
        shape = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(pattern))
        if re.fullmatch(shape, path.partition("?")[0]) and method.lower() in operations:
            return str(operations[method.lower()]["operationId"])
    raise AssertionError(f"no operation is {method} {path}")


def shape(value: Any) -> Any:
    """Return names and types of data: of a list those of its first item."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def prepare(cluster: Cluster) -> None:
    """Put into the cluster what others than gedge do there."""
    node = cluster.objects["/api/v1/nodes/gedgew01"]
    node["metadata"]["labels"] = {"kubernetes.io/hostname": "gedgew01", "kubernetes.io/os": "linux"}
    node["status"]["images"] = [{"names": ["registry.example.org/app:1.0"], "sizeBytes": 12345678}]
    node["status"]["nodeInfo"] = {"kubeletVersion": "v1.34.1"}
    node["status"]["capacity"] = node["status"]["allocatable"]
    pod = "/api/v1/namespaces/default/pods/app-5d9c7-x2x9z"
    cluster.objects[pod] = {
        "metadata": {"name": "app-5d9c7-x2x9z", "namespace": "default", "labels": LABELS},
        "spec": {"nodeName": "gedgew01", "containers": [{"name": "app"}]},
        "status": {
            "phase": "Running", "podIP": "10.0.0.7", "qosClass": "Burstable",
            "containerStatuses": [{"name": "app", "ready": True, "restartCount": 0, "state": {"running": {}}}],
        },
    }  # fmt: skip
    cluster.logs[pod] = [b"listening on 8080\n"]
    cluster.objects["/api/v1/namespaces/default/events/app.1"] = {
        "metadata": {"name": "app.1", "namespace": "default"}, "type": "Normal", "reason": "Started",
        "involvedObject": {"kind": "Pod", "name": "app-5d9c7-x2x9z"}, "count": 1,
        "message": "Container started", "lastTimestamp": "2026-11-30T12:00:00Z",
    }  # fmt: skip
    cluster.objects["/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web"] = {
        "metadata": {"name": "web", "namespace": "default", "labels": {**LABELS, "gedge.dev/service": "web"}},
        "spec": {
            "minReplicas": 1,
            "maxReplicas": 5,
            "metrics": [],
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        },
        "status": {"currentReplicas": 1, "desiredReplicas": 1, "conditions": []},
    }


def ask(client: httpx.Client, example: Example) -> tuple[httpx.Response, str]:
    """Carry an example out; of a watch what it tells until it is synced."""
    with client.stream(
        example.method, example.path, headers=example.headers, content=example.body.encode() or None
    ) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer, answer.read().decode()
        told = ""
        for line in answer.iter_lines():
            told += line + "\n"
            if line.startswith("event: synced"):
                break
        return answer, told


def test_every_operation_has_an_example() -> None:
    operations = {one["operationId"] for methods in openapi_document()["paths"].values() for one in methods.values()}
    assert {example.operation for example in examples()} == operations
    for example in examples():
        assert operation_of(example.method, example.path) == example.operation


def test_the_examples_are_carried_out_as_they_stand(client: httpx.Client, cluster: Cluster) -> None:
    prepare(cluster)
    for example in examples():
        answer, text = ask(client, example)
        if {answer.status_code, example.status} == {200, 202}:  # quick or slow, both are right: it is waited for
            end = time.monotonic() + 60
            while client.get(answer.headers.get("location", "/healthz")).json().get("rollout"):
                assert time.monotonic() < end
                time.sleep(0.2)
            continue
        assert answer.status_code == example.status, (example.operation, text)
        if example.kind == "json":
            assert shape(json.loads(text)) == shape(json.loads(example.answer)), (example.operation, text)
        elif example.kind == "text":
            shown = [line for line in example.answer.splitlines() if line != "..."]
            words = [line.partition(": ")[0] for line in text.splitlines()]
            assert [line.partition(": ")[0] for line in shown] == words[: len(shown)], (example.operation, text)
        else:
            assert text == "", example.operation
