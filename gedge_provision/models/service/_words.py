"""Names and texts of service documents, and how their keys are spelled."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gedge_provision.models.base import Document
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.wording import Form

__all__ = [
    "MISSPELLINGS",
    "AbsolutePath",
    "ByteAmount",
    "CamelCase",
    "Image",
    "Key",
    "Name",
    "ObjectName",
    "PortNumber",
    "RelativePath",
    "ServiceName",
    "Text",
    "VariableName",
]

MISSPELLINGS = {"toploygyAware": "topologyAware"}
"""Spellings in the platform's own documents that are accepted, each with the right one."""

PortNumber = Annotated[int, Field(ge=1, le=65535, strict=True)]
_LETTERS = "use lower-case letters, digits and '-', first a letter, last no '-'"
Name = Annotated[str, Form(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", "name", f"{_LETTERS}; at most 63")]
# Room for "-external" and "-headless", and for the ends that Kubernetes adds to the names of ReplicaSets and pods.
ServiceName = Annotated[str, Form(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", "name for a service", f"{_LETTERS}; at most 40")]
ObjectName = Annotated[
    str,
    Form(
        r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?",
        "name of an object",
        "write the name alone; it has lower-case letters, digits, '-' and '.', first and last a letter or digit",
    ),
]
Key = Annotated[
    str, Form(r"[A-Za-z0-9._-]{1,253}", "key of a Secret or ConfigMap", "use letters, digits, '-', '_' and '.'")
]
Image = Annotated[str, Form(r"\S{1,512}", "image", "write it like registry.example/app:1.0, without spaces")]
VariableName = Annotated[
    str, Form(r"[A-Za-z_][A-Za-z0-9_.-]*", "name of a variable", "use letters, digits, '_', '.', '-', first no digit")
]
AbsolutePath = Annotated[str, Form(r"/[^:]*", "absolute path", "begin it with /, without ':'")]
RelativePath = Annotated[
    str,
    Form(r"(?!/)(?!(.*/)?\.\.(/|$)).+", "path inside a volume", "begin it without /, and leave no .. in it"),
]


def _text(value: object) -> object:
    if isinstance(value, (bool, int, float)):
        raise ValueError(f"{value!r} is read as a {type(value).__name__}, not as text -> write it in quotes")  # noqa: TRY004
    return value


def _bytes(value: Quantity) -> Quantity:
    if value.amount == 0:
        raise ValueError("0 bytes are nothing -> leave it out, or ask for more")
    if value.amount % 1:
        raise ValueError(f"{value} is a fraction of a byte -> write it like 500Mi; m is for cpu")
    return value


Text = Annotated[str, BeforeValidator(_text)]
ByteAmount = Annotated[Quantity, AfterValidator(_bytes)]


class CamelCase(Document):
    """The base of what stands in service documents: keys in camelCase, and no others."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=False)
