"""Parameters of requests: names, numbers and truth values as text, and bodies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import ErrorDetails

from gedge_provision.gse._problems import MOST_FINDINGS, ProblemError, WrongField
from gedge_provision.models.documents import Source, parse_yaml
from gedge_provision.models.wording import in_plain_words

__all__ = [
    "DIGITS",
    "Document",
    "Flag",
    "Json",
    "NamespaceName",
    "NodeName",
    "ObjectName",
    "RawBody",
    "ServiceName",
    "check_name",
    "document_of",
    "read_json",
    "refuse_unknown",
]

M = TypeVar("M", bound=BaseModel)

_YAML = {"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"}
_JSON = {"application/json"}
_MOST_VALUES = 10_000
_LARGEST_JSON = 64 * 1024

# Whole texts: pydantic's regular expressions look for a part, and JSON Schema's too.
_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_SERVICE = r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$"
_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

NamespaceName = Annotated[
    str, Path(pattern=_LABEL, max_length=63, description="Kubernetes namespace.", examples=["edge"])
]
ServiceName = Annotated[
    str,
    Path(pattern=_SERVICE, max_length=40, description="Name of the service, template or mesh.", examples=["app"]),
]
NodeName = Annotated[
    str, Path(pattern=_SUBDOMAIN, max_length=253, description="Name of the node.", examples=["gedgew01"])
]
ObjectName = Annotated[
    str, Path(pattern=_SUBDOMAIN, max_length=253, description="Name of the object.", examples=["app"])
]


def _number(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the query
    if isinstance(value, str) and not re.fullmatch(r"-?(0|[1-9][0-9]{0,8})", value):
        raise ValueError("this is no whole number -> write digits alone")
    return value


def _flag(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the query
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("this is neither true nor false -> write one of them")
    return value


DIGITS = BeforeValidator(_number)
"""Annotates a whole number of the query, after its bounds: those of `Query` would not be in its JSON Schema."""
Flag = Annotated[bool, BeforeValidator(_flag), Query()]


@dataclass(frozen=True)
class RawBody:
    """The body of a request, and what it says that it is."""

    data: bytes
    media_type: str


async def _raw(request: Request) -> RawBody:
    said = Message()
    said["content-type"] = written = request.headers.get("content-type", "")
    charset = said.get_content_charset("utf-8")
    if charset not in {"utf-8", "us-ascii"}:
        raise ProblemError("unsupported-media-type", f"the body is {charset[:40]}", remedy="send it in UTF-8")
    return RawBody(await request.body(), written.partition(";")[0].strip().lower())


Document = Annotated[RawBody, Depends(_raw)]
"""A document, YAML or JSON: `document_of` reads it."""
Json = Annotated[RawBody, Depends(_raw)]
"""JSON data: `read_json` reads it."""


def document_of(body: RawBody) -> Source:
    """Return the document that a body is.

    Raises:
        ProblemError: it is no text, or says that it is something else.
        DocumentError: it is no YAML or JSON.
    """
    return parse_yaml(_text(body, _YAML | _JSON, "application/yaml or application/json"), "document", _MOST_VALUES)


def check_name(source: Source, root: str, name: str) -> None:
    """Make sure that a document is of the name that the path has.

    Raises:
        ProblemError: it is not.
    """
    inner = source.data.get(root) if isinstance(source.data, dict) else None
    told = inner.get("name") if isinstance(inner, dict) else None
    if isinstance(told, str) and told != name:
        raise ProblemError("malformed-request", f"the document is of {told[:80]}, and the path of {name}")


def read_json(body: RawBody, model: type[M]) -> M:
    """Return the JSON data of a body as a model.

    Raises:
        ProblemError: it is none, or has the wrong form.
    """
    if len(body.data) > _LARGEST_JSON:
        raise ProblemError("too-large", f"a body that is no document has {_LARGEST_JSON} bytes at most")
    text = _text(body, _JSON, "application/json")
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        findings = tuple(
            WrongField(place="body", path=".".join(map(str, one["loc"])), message=message, remedy=remedy)
            for one in error.errors(include_url=False)[:MOST_FINDINGS]
            for message, remedy in [_worded(one, model)]
        )
        raise ProblemError("malformed-request", _summary(findings), findings=findings) from error


def _worded(error: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    if error["type"] == "extra_forbidden":
        known = ", ".join(sorted(field.alias or name for name, field in model.model_fields.items()))
        return "unknown key", f"known keys: {known}"
    if error["type"] == "missing":
        return "a required key is missing", f"add {error['loc'][-1]!r}"
    return in_plain_words(error)


def refuse_unknown(request: Request) -> None:
    """Refuse parameters that an operation does not know, and those that stand twice: both are mistakes.

    Raises:
        ProblemError: names them.
    """
    known = set(_known(request.scope["route"].dependant))
    given = [key for key, _ in request.query_params.multi_items()]
    findings = [
        WrongField(
            place="query",
            path=key,
            message="unknown parameter",
            remedy=f"known here: {', '.join(sorted(known)) or 'none'}",
        )
        for key in dict.fromkeys(given)
        if key not in known
    ]
    findings += [
        WrongField(place="query", path=key, message="this parameter stands twice", remedy="keep one")
        for key in known
        if given.count(key) > 1
    ]
    if findings:
        raise ProblemError("malformed-request", _summary(tuple(findings)), findings=tuple(findings))


def _known(dependant: Any) -> list[str]:  # noqa: ANN401 - fastapi.dependencies.models.Dependant
    names = [str(field.alias) for field in dependant.query_params]
    return names + [name for inner in dependant.dependencies for name in _known(inner)]


def _text(body: RawBody, types: set[str], wanted: str) -> str:
    if body.media_type not in types:
        said = body.media_type[:100] or "not said"
        raise ProblemError("unsupported-media-type", f"the body is {said}", remedy=f"send {wanted}")
    try:
        return body.data.decode()
    except UnicodeDecodeError as error:
        message = f"the body is not UTF-8: byte {error.start}"
        raise ProblemError("malformed-request", message, remedy="save it as UTF-8") from error


def _summary(findings: tuple[WrongField, ...]) -> str:
    first = findings[0]
    more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
    return f"{first.place} {first.path}: {first.message}{more}"
