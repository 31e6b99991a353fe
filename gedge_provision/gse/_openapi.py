"""The OpenAPI document: what FastAPI makes of the operations, with problems, permissions and documents added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gedge_provision.gse._problems import CATALOGUE, MEDIA_TYPE, Problem
from gedge_provision.models.schemas import DocumentKind, json_schema

__all__ = ["PERMISSIONS", "Needs", "changes", "document_body", "json_body", "needs", "openapi"]

PERMISSIONS = "x-gse-permissions"
"""Of an operation: what Kubernetes RBAC must allow its caller."""

_REFERENCE = "#/components/schemas/{model}"
_ALWAYS = (400, 401, 403, 404, 408, 413, 429, 500, 503)
_WITH_BODY = (409, 415, 422)
_OPEN_STATUS = (400, 413, 429, 500, 503)

_CONTAINER = {"image": "registry.example.org/app:1.0", "ports": [{"containerPort": 8080}]}
_MESH = {
    "name": "app",
    "services": [{"name": "page", "template": "app", "labels": {"version": "v1"}}],
    "serviceRoutes": [
        {"name": "all", "match": [{"uri": {"prefix": "/"}}], "destination": {"host": "page", "subset": "v1"}}
    ],
}
_EXAMPLES: Mapping[DocumentKind, dict[str, Any]] = {
    DocumentKind.SERVICE: {"service": {"name": "app", "containers": [_CONTAINER]}},
    DocumentKind.TEMPLATE: {"template": {"name": "app", "service": {"containers": [_CONTAINER]}}},
    DocumentKind.MESH: {"serviceMesh": _MESH},
}
"""Of names that the examples of path parameters have too, so that what one makes another finds."""

Needs = Sequence[str]
"""Permissions: `list deployments.apps`, or `list nodes @cluster` where the namespace of the path does not matter."""


def needs(*permissions: str) -> dict[str, Any]:
    """Return what an operation's part of the document says of its permissions."""
    return {PERMISSIONS: list(permissions)}


def document_body(*kinds: DocumentKind) -> dict[str, Any]:
    """Return the request body of an operation that takes one of these documents."""
    schemas = [{"$ref": f"#/components/schemas/{kind.value}-document"} for kind in kinds]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    described = {"schema": schema, "examples": {kind.value: {"value": _EXAMPLES[kind]} for kind in kinds}}
    content = {"application/json": described, "application/yaml": described}
    return {"requestBody": {"required": True, "content": content}}


def changes() -> dict[str, Any]:
    """Return what an operation's part of the document says when it changes something without a body."""
    return {"x-gse-changes": True}


def json_body(model: str) -> dict[str, Any]:
    """Return the request body of an operation that takes a model as JSON."""
    schema = {"$ref": _REFERENCE.format(model=model)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def openapi(app: FastAPI, bodies: Sequence[type[Any]]) -> dict[str, Any]:
    """Return the document of an application.

    Args:
        app: the application.
        bodies: models of request bodies that `json_body` names.
    """
    document = get_openapi(
        title="GSE API server",
        version="v1",
        openapi_version="3.1.0",
        summary="Services on a low-latency edge cluster: deploy them, see how they do, change them.",
        description=(
            "Every call is made with the caller's own bearer token, and Kubernetes RBAC decides. Fields of answers have"
            " the names of `gedge ... --output json`; documents are those of service developers. Errors are problem"
            " details (RFC 9457), whose kinds are at /gse/v1/problems. /gse/v1 stays: fields and operations are added,"
            " none is taken away or changes its meaning."
        ),
        routes=app.routes,
    )
    components = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    models: list[type[Any]] = [Problem, *bodies]
    for model in models:
        _add_model(components, model)
    for kind in (DocumentKind.SERVICE, DocumentKind.TEMPLATE, DocumentKind.MESH):
        _add_document(components, kind)
    document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    document["components"]["responses"] = {str(status): _problem(status) for status in _statuses()}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(path, operation)
    return document


def _complete(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "application/json" in responses.get("422", {}).get("content", {}):
        del responses["422"]
    is_open = not path.startswith("/gse/v1") or PERMISSIONS not in operation
    statuses = list(_OPEN_STATUS if is_open else _ALWAYS)
    if not is_open:
        operation["security"] = [{"bearer": []}]
        statuses += _WITH_BODY if "requestBody" in operation or operation.get("x-gse-changes") else ()
    for status in statuses:
        responses.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})


def _statuses() -> list[int]:
    return sorted({int(kind.status) for kind in CATALOGUE})


def _problem(status: int) -> dict[str, Any]:
    kinds = [kind for kind in CATALOGUE if kind.status == status]
    answer: dict[str, Any] = {
        "description": "; ".join(f"{kind.code}: {kind.title}" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model="Problem")}}},
    }
    if any(kind.retry_s for kind in kinds):
        description = "Seconds after which the same request may be made again."
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": description}}
    return answer


def _add_model(components: dict[str, Any], model: type[Any]) -> None:
    schema = model.model_json_schema(ref_template=_REFERENCE, by_alias=True)
    components |= schema.pop("$defs", {})
    components[model.__name__] = schema


def _add_document(components: dict[str, Any], kind: DocumentKind) -> None:
    """Add the schema of a document; its parts get names of their own, as several documents may share some."""
    schema = json_schema(kind)
    schema.pop("$schema", None)
    definitions = schema.pop("$defs", {})
    prefix = f"{kind.value}-document"
    components[prefix] = _renamed(schema, prefix)
    for name, definition in definitions.items():
        components[f"{prefix}.{name}"] = _renamed(definition, prefix)


def _renamed(node: Any, prefix: str) -> Any:  # noqa: ANN401 - a JSON Schema
    if isinstance(node, list):
        return [_renamed(one, prefix) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: f"#/components/schemas/{prefix}.{value.rpartition('/')[2]}"
        if key == "$ref" and isinstance(value, str)
        else _renamed(value, prefix)
        for key, value in node.items()
    }
