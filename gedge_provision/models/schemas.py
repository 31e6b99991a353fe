"""JSON Schemas of the documents that people write, for editors and other programs."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from gedge_provision.models.mesh import MeshFile
from gedge_provision.models.service import MISSPELLINGS, ServiceDocument, TemplateFile
from gedge_provision.models.site import Site

__all__ = ["DocumentKind", "json_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class DocumentKind(StrEnum):
    """The kinds of document."""

    SITE = "site"
    SERVICE = "service"
    TEMPLATE = "template"
    MESH = "mesh"


_MODELS: dict[DocumentKind, type[BaseModel]] = {
    DocumentKind.SITE: Site,
    DocumentKind.SERVICE: ServiceDocument,
    DocumentKind.TEMPLATE: TemplateFile,
    DocumentKind.MESH: MeshFile,
}


def json_schema(kind: DocumentKind) -> dict[str, Any]:
    """Return the JSON Schema of a kind of document."""
    schema = {"$schema": _DIALECT, **_MODELS[kind].model_json_schema(by_alias=True)}
    for definition in schema["$defs"].values():
        properties = definition.get("properties", {})
        for wrong, right in MISSPELLINGS.items():
            if right in properties:
                properties[wrong] = {**properties[right], "deprecated": True, "description": f"Accepted for {right}."}
    return schema
