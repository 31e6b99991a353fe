"""The OpenAPI document: committed, complete, and what would break its callers is found."""

from __future__ import annotations

import copy
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gedge_provision.gse import openapi_document
from gedge_provision.gse._problems import CATALOGUE

DOCS = Path(__file__).resolve().parents[3] / "docs"
COMMITTED = json.loads((DOCS / "openapi" / "gse-v1.json").read_text(encoding="utf-8"))
ONE = "/gse/v1/namespaces/{namespace}/services/{name}"
ALL = "/gse/v1/namespaces/{namespace}/services"
Change = Callable[[dict[str, Any]], Any]


def _load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DOCS))
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return _load("openapi_breaking", monkeypatch)


@pytest.fixture
def page(breaking: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    assert breaking
    return _load("openapi_page", monkeypatch)


def test_the_committed_document_is_current(page: ModuleType) -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), "run: python docs/openapi_page.py"


def test_callers_of_the_committed_document_are_not_broken(breaking: ModuleType) -> None:
    assert breaking.breaks(COMMITTED, openapi_document()) == []


def test_every_operation_is_complete() -> None:
    seen = set()
    for path, operations in COMMITTED["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], path
            assert operation["tags"], path
            assert operation["operationId"] not in seen
            seen.add(operation["operationId"])
            assert {"400", "429", "500"} <= operation["responses"].keys(), (method, path)
            for status, answer in operation["responses"].items():
                assert "description" in answer or "$ref" in answer, (method, path, status)
            if path.startswith("/gse/v1") and "problems" not in path:
                assert operation["security"] == [{"bearer": []}]
                assert {"401", "403", "503"} <= operation["responses"].keys(), (method, path)


def _schema(name: str) -> Change:
    return lambda document: document["components"]["schemas"][name]


def _parameter(document: dict[str, Any], path: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in document["paths"][path]["get"]["parameters"] if one["name"] == name)
    return found


BREAKS: dict[str, tuple[Change, str]] = {
    "an operation is taken away": (lambda d: d["paths"][ONE].pop("patch"), f"PATCH {ONE}: the operation is gone"),
    "a path is taken away": (lambda d: d["paths"].pop(ONE), f"DELETE {ONE}: the operation is gone"),
    "an operation has another name": (
        lambda d: d["paths"][ONE]["get"].update(operationId="other"), "operationId was show_service",
    ),
    "an open operation asks for a token": (
        lambda d: d["paths"]["/healthz"]["get"].update(security=[{"bearer": []}]), "asks who the caller is",
    ),
    "a parameter is taken away": (
        lambda d: d["paths"][ALL]["get"]["parameters"].remove(_parameter(d, ALL, "sort")),
        "query parameter sort is gone",
    ),
    "a parameter is required": (
        lambda d: _parameter(d, ALL, "limit").update(required=True), "query parameter limit is required now",
    ),
    "a new parameter is required": (
        lambda d: d["paths"][ALL]["get"]["parameters"].append(
            {"in": "query", "name": "new", "required": True, "schema": {"type": "string"}}
        ),
        "query parameter new is new and required",
    ),
    "a parameter has another type": (
        lambda d: _parameter(d, ALL, "limit")["schema"].update(type="string"), "was integer, and is string",
    ),
    "a parameter has a closer bound": (
        lambda d: _parameter(d, ALL, "limit")["schema"].update(maximum=100), "maximum was 500, and is 100",
    ),
    "a parameter has a new pattern": (
        lambda d: _parameter(d, ALL, "sort")["schema"].update(pattern="^a$"), "pattern was not set",
    ),
    "a value is not taken any more": (
        lambda d: _parameter(d, ALL, "sort")["schema"]["enum"].remove("-ready"), "-ready is not taken any more",
    ),
    "a body is required": (
        lambda d: d["paths"][f"{ONE}/pause"]["post"].update(requestBody={"required": True, "content": {}}),
        "a request body is required now",
    ),
    "a body is taken away": (lambda d: d["paths"][ONE]["put"].pop("requestBody"), "the request body is gone"),
    "a media type is not taken any more": (
        lambda d: d["paths"][ONE]["put"]["requestBody"]["content"].pop("application/yaml"), "application/yaml is gone",
    ),
    "a key of a body is taken away": (
        lambda d: _schema("Back")(d)["properties"].pop("to"), "request.to is gone",
    ),
    "a key of a body is required": (
        lambda d: _schema("Back")(d).update(required=["to"]), "request.to is required now",
    ),
    "a key of a document is taken away": (
        lambda d: _schema("service-document.Service")(d)["properties"].pop("replicas"), "replicas is gone",
    ),
    "a key of a document has a closer bound": (
        lambda d: _schema("Scale")(d)["properties"]["replicas"].update(maximum=10), "maximum was 1000, and is 10",
    ),
    "other keys are refused": (
        lambda d: d["components"]["schemas"]["Scale"].update(additionalProperties=False) or
        COMMITTED_LOOSE["components"]["schemas"]["Scale"].pop("additionalProperties"), "other keys are not taken",
    ),
    "a status is taken away": (lambda d: d["paths"][ONE]["delete"]["responses"].pop("204"), "status 204 is gone"),
    "an answer is taken another type": (
        lambda d: d["paths"][f"{ONE}/diff"]["get"]["responses"]["200"].update(content={"text/html": {}}),
        "text/plain is gone",
    ),
    "a header of an answer is taken away": (
        lambda d: d["paths"][f"{ONE}/logs"]["get"]["responses"]["200"]["headers"].pop("X-Gse-Pod"),
        "header X-Gse-Pod is gone",
    ),
    "a field of an answer is taken away": (
        lambda d: _schema("ServiceStatus")(d)["properties"].pop("pods"), "answer 200.pods is gone",
    ),
    "a field of a line of an answer is taken away": (
        lambda d: _schema("PodLine")(d)["properties"].pop("node"), "answer 200.pods[].node is gone",
    ),
    "a field of an answer has another type": (
        lambda d: _schema("ServiceStatus")(d)["properties"]["ready"].update(type="string"),
        "was boolean, and is string",
    ),
    "a field of an answer may be null": (
        lambda d: _schema("ServiceStatus")(d)["properties"].update(ready={"anyOf": [{"type": "boolean"},
        {"type": "null"}]}),
        "ready: was boolean, and is null",
    ),
    "a field of an answer may be left out": (
        lambda d: _schema("ServiceStatus")(d)["required"].remove("ready"), "ready need not be there any more",
    ),
    "a field of a problem is taken away": (
        lambda d: _schema("Problem")(d)["properties"].pop("remedy"), "answer 400.remedy is gone",
    ),
}  # fmt: skip
COMMITTED_LOOSE = copy.deepcopy(COMMITTED)


@pytest.mark.parametrize("name", BREAKS)
def test_what_breaks_callers_is_found(breaking: ModuleType, name: str) -> None:
    change, expected = BREAKS[name]
    changed = copy.deepcopy(COMMITTED)
    change(changed)
    old = COMMITTED_LOOSE if name == "other keys are refused" else COMMITTED
    found = breaking.breaks(old, changed)
    assert any(expected in line for line in found), found


ADDED: dict[str, Change] = {
    "an operation": lambda d: d["paths"].update({"/gse/v1/new": d["paths"]["/healthz"]}),
    "a method": lambda d: d["paths"][ALL].update(delete=d["paths"][ONE]["delete"]),
    "an optional parameter": lambda d: d["paths"][ALL]["get"]["parameters"].append(
        {"in": "query", "name": "new", "schema": {"type": "string"}}
    ),
    "a field of an answer": lambda d: _schema("ServiceStatus")(d)["properties"].update(new={"type": "string"}),
    "a key of a document": lambda d: _schema("service-document.Service")(d)["properties"].update(
        new={"type": "string"}
    ),
    "an error": lambda d: d["paths"][ONE]["get"]["responses"].update({"418": {"description": "new"}}),
    "a wider bound": lambda d: _parameter(d, ALL, "limit")["schema"].update(maximum=1000),
    "no pattern": lambda d: _parameter(d, ALL, "cursor")["schema"].pop("pattern"),
    "a value of a parameter": lambda d: _parameter(d, ALL, "sort")["schema"]["enum"].append("size"),
    "a media type": lambda d: d["paths"][ONE]["put"]["requestBody"]["content"].update({"text/x": {}}),
    "words": lambda d: d["info"].update(description="other words"),
    "null in a request": lambda d: _schema("Scale")(d)["properties"].update(
        replicas={"anyOf": [_schema("Scale")(d)["properties"]["replicas"], {"type": "null"}]}
    ),
    "what may not be null any more in an answer": lambda d: _schema("ServiceEntry")(d)["properties"].update(
        ready={"type": "boolean"}
    ),
}


@pytest.mark.parametrize("name", ADDED)
def test_what_is_added_breaks_nobody(breaking: ModuleType, name: str) -> None:
    changed = copy.deepcopy(COMMITTED)
    ADDED[name](changed)
    assert changed != COMMITTED
    assert breaking.breaks(COMMITTED, changed) == []


def test_a_breaking_document_is_not_written_unasked(
    page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    more = copy.deepcopy(COMMITTED)
    more["paths"]["/gse/v1/former"] = more["paths"]["/healthz"]
    kept = tmp_path / "gse-v1.json"
    kept.write_text(json.dumps(more), encoding="utf-8")
    monkeypatch.setattr(page, "PAGE", kept)
    monkeypatch.setattr(sys, "argv", ["openapi_page.py"])
    assert page.main() == 1
    assert "GET /gse/v1/former: the operation is gone" in capsys.readouterr().err
    assert json.loads(kept.read_text(encoding="utf-8")) == more
    monkeypatch.setattr(sys, "argv", ["openapi_page.py", "--breaking"])
    assert page.main() == 0
    assert json.loads(kept.read_text(encoding="utf-8")) == openapi_document()


def test_the_page_has_every_kind_of_problem() -> None:
    page_text = (DOCS / "gse-api.md").read_text(encoding="utf-8")
    rows = [
        f"| `{kind.code}` | {int(kind.status)} | {kind.title} | {kind.meaning} | {kind.retry_s or ''} |"
        for kind in CATALOGUE
    ]
    assert "\n".join(rows) in page_text
