"""The examples of the API's pages: every operation has one, and each is carried out as a shell reads it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from kube_server import Cluster

from gedge_provision.gse import openapi_document

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gse-api-examples.md"
EXAMPLE = re.compile(
    r"^## (?P<operation>\w+)[^\n]*\n\n.*?^```sh\n(?P<command>curl .*?)```\n\n"
    r"Answer (?P<status>\d+)(?P<empty>, without a body)?"
    r"(?::\n\n```(?P<kind>json|text)\n(?P<answer>.*?)```)?",
    re.MULTILINE | re.DOTALL,
)
SERVER = "https://gse.example"
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


def words_of(command: str) -> list[str]:
    """Return what a shell gives to curl."""
    script = f"GSE={SERVER}\ncurl() {{ printf '%s\\0' \"$@\"; }}\n{command}"
    done = subprocess.run(["bash", "-euc", script], check=True, capture_output=True, text=True)
    return done.stdout.split("\0")[:-1]


def request_of(command: str) -> tuple[str, str, dict[str, str], str]:
    """Return method, path, headers and body that a command line sends."""
    words = iter(words_of(command))
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
            assert word.startswith(f"{SERVER}/"), f"a shell makes {word} of: {command}"
            path = word.removeprefix(SERVER)
    return method or ("POST" if body else "GET"), path, headers, body


def examples() -> list[Example]:
    """Return the examples, in the order of the page."""
    return [
        Example(
            match["operation"], *request_of(match["command"]), int(match["status"]), match["kind"] or "",
            match["answer"] or "",
        )
        for match in EXAMPLE.finditer(PAGE.read_text(encoding="utf-8"))
    ]  # fmt: skip


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


def wait(client: httpx.Client, going: Any) -> None:
    """Wait until rollouts that go on have ended, or are on trial."""
    for one in going if isinstance(going, list) else [going]:
        end = time.monotonic() + 60
        while (rollout := client.get(one["status"]).json().get("rollout")) and " is on trial " not in rollout:
            assert time.monotonic() < end, rollout
            time.sleep(0.2)


def test_an_address_that_a_shell_does_not_expand_is_refused() -> None:
    assert request_of('curl "$GSE/gse/v1/services?name=app&detail=name"')[1] == "/gse/v1/services?name=app&detail=name"
    with pytest.raises(AssertionError, match=r"a shell makes \$GSE/gse/v1/services"):
        request_of("curl '$GSE/gse/v1/services?name=app'")


def test_every_operation_has_an_example() -> None:
    operations = {one["operationId"] for methods in openapi_document()["paths"].values() for one in methods.values()}
    assert {example.operation for example in examples()} == operations
    for example in examples():
        assert operation_of(example.method, example.path) == example.operation


def test_the_examples_are_carried_out(client: httpx.Client, cluster: Cluster) -> None:
    prepare(cluster)
    for example in examples():
        answer, text = ask(client, example)
        if answer.status_code == 202 != example.status:  # quick or slow, both are right
            wait(client, json.loads(text))
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
