"""JSON Schemas of the documents that people write, for editors and other programs."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from gedge_provision.models.service import MISSPELLINGS, ServiceFile
from gedge_provision.models.site import Site

__all__ = ["DocumentKind", "json_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class DocumentKind(StrEnum):
    """The kinds of document."""

    SITE = "site"
    SERVICE = "service"


def json_schema(kind: DocumentKind) -> dict[str, Any]:
    """Return the JSON Schema of a kind of document."""
    model = Site if kind is DocumentKind.SITE else ServiceFile
    schema = {"$schema": _DIALECT, **model.model_json_schema(by_alias=True)}
    for definition in schema["$defs"].values():
        properties = definition.get("properties", {})
        for wrong, right in MISSPELLINGS.items():
            if right in properties:
                properties[wrong] = {**properties[right], "deprecated": True, "description": f"Accepted for {right}."}
    return schema
