"""Errors as problem details (RFC 9457): one table of what can go wrong, and what each error of ours is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field

from gedge_provision.adapters.kube import (
    BusyError,
    ConflictError,
    ForbiddenError,
    GoneError,
    KubeError,
    NotFoundError,
    UnreachableError,
)
from gedge_provision.models.errors import DocumentError, GedgeError, NotFittingError, RolloutError, UsageError
from gedge_provision.services.namespaces import NamespaceMissingError

__all__ = [
    "CATALOGUE",
    "CODES",
    "MEDIA_TYPE",
    "MOST_FINDINGS",
    "Kind",
    "Problem",
    "ProblemError",
    "WrongField",
    "problem_of",
]

MEDIA_TYPE = "application/problem+json"
MOST_FINDINGS = 100
PREFIX = "/gse/v1/problems/"


@dataclass(frozen=True)
class Kind:
    """A kind of problem.

    Attributes:
        code: its name, the end of its type.
        status: of the answer.
        title: what it is, in a few words.
        meaning: when it comes, and what a client does about it.
        retry_s: after how many seconds the same request may be made again; 0 where that does not help.
    """

    code: str
    status: HTTPStatus
    title: str
    meaning: str
    retry_s: int = 0


CATALOGUE: tuple[Kind, ...] = (
    Kind("malformed-request", HTTPStatus.BAD_REQUEST, "The request is not well formed",
         "A parameter or the body has the wrong form; findings name each. Mend the request."),
    Kind("unauthenticated", HTTPStatus.UNAUTHORIZED, "Nobody is known by this token",
         "There is no bearer token, or the Kubernetes API does not know it (any more). Bring a valid one."),
    Kind("forbidden", HTTPStatus.FORBIDDEN, "This is not allowed",
         "Kubernetes RBAC does not allow it to the bearer of this token. detail names what is lacking."),
    Kind("not-found", HTTPStatus.NOT_FOUND, "There is no such thing",
         "What the path names is not there."),
    Kind("method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED, "This method is not for this path",
         "The header Allow names the methods of this path."),
    Kind("timeout", HTTPStatus.REQUEST_TIMEOUT, "The request came too slowly",
         "The body was not there in time. Send it in one go."),
    Kind("conflict", HTTPStatus.CONFLICT, "It conflicts with what there is",
         "Another thing has that name, somebody else owns what would change, or it was changed at the same time."),
    Kind("not-possible", HTTPStatus.CONFLICT, "It is not possible now",
         "The request is right, and the state of the service does not allow it. remedy says what is to be done first."),
    Kind("not-fitting", HTTPStatus.CONFLICT, "No node can hold it",
         "The document is right, and no node offers what it asks for. The operation fit tells it node by node."),
    Kind("rollout-failed", HTTPStatus.CONFLICT, "It did not get ready",
         "The rollout has failed at once. detail says why, and whether what ran before runs again."),
    Kind("precondition-failed", HTTPStatus.PRECONDITION_FAILED, "It was changed meanwhile",
         "The ETag of If-Match is not the present one. Get it again, and apply your change to that."),
    Kind("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large",
         "The body or the header is larger than the server takes."),
    Kind("unsupported-media-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body has another type",
         "Documents are application/json or application/yaml, everything else is application/json."),
    Kind("invalid-document", HTTPStatus.UNPROCESSABLE_ENTITY, "The document is not right",
         "findings name every mistake with its line, its field and a remedy. Nothing was changed."),
    Kind("cluster-refused", HTTPStatus.UNPROCESSABLE_ENTITY, "The cluster refuses it",
         "The Kubernetes API does not take what was made of the request. detail has its words. Nothing was changed."),
    Kind("too-many-requests", HTTPStatus.TOO_MANY_REQUESTS, "Too many requests",
         "This caller makes more requests, or has more rollouts under way, than the server allows."
         " Wait for the seconds of Retry-After.", 1),
    Kind("internal-error", HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed",
         "A mistake of the server. Its log has the reason under the number that detail gives."),
    Kind("cluster-unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "The Kubernetes API does not answer",
         "It is away, starting, or too busy. Wait for the seconds of Retry-After, then ask again.", 2),
    Kind("too-busy", HTTPStatus.SERVICE_UNAVAILABLE, "The server has too much to do",
         "Too many requests, watches or rollouts are under way here. Wait for the seconds of Retry-After.", 2),
)  # fmt: skip
"""Every kind of problem, by status."""

CODES: Mapping[str, Kind] = {kind.code: kind for kind in CATALOGUE}


class WrongField(BaseModel):
    """One thing that is wrong: where in the request, the field, what is wrong, what to do."""

    model_config = ConfigDict(frozen=True)

    place: str
    path: str
    message: str
    remedy: str


class Problem(BaseModel):
    """A problem as a client gets it."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="Names the kind; GET it for what it means.")
    title: str = Field(description="The kind, in a few words.")
    status: int = Field(description="That of the answer.")
    detail: str = Field(description="What happened.")
    instance: str = Field(description="Path of the request.")
    place: str = Field("", description="What it is about: an object, a line of a document.")
    remedy: str = Field("", description="What to do.")
    findings: tuple[WrongField, ...] = Field((), description="What is wrong with the request, 100 places at most.")


class ProblemError(GedgeError):
    """A problem of the request itself, found before any error of the project could be raised."""

    def __init__(  # noqa: PLR0913 - the parts of a problem
        self,
        code: str,
        detail: str,
        *,
        place: str = "",
        remedy: str = "",
        findings: tuple[WrongField, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail, place=place, remedy=remedy)
        self.kind = CODES[code]
        self.findings = findings
        self.headers = dict(headers or {})


_OURS: tuple[tuple[type[GedgeError], str], ...] = (
    (NamespaceMissingError, "not-found"),
    (DocumentError, "invalid-document"),
    (NotFittingError, "not-fitting"),
    (UsageError, "not-possible"),
    (RolloutError, "rollout-failed"),
    (NotFoundError, "not-found"),
    (ConflictError, "conflict"),
    (UnreachableError, "cluster-unavailable"),
    (BusyError, "cluster-unavailable"),
    (GoneError, "cluster-unavailable"),
)
_REMEDIES = {
    "unauthenticated": "bring the token of a user or service account of this cluster: Authorization: Bearer TOKEN",
    "forbidden": "ask the cluster's administrator for a role that allows it",
    "cluster-unavailable": "ask again after the seconds of Retry-After",
}


def problem_of(error: GedgeError, path: str) -> tuple[Problem, dict[str, str]]:
    """Return an error as a problem of the request for a path, and the headers that its answer has."""
    kind = _kind(error)
    findings: tuple[WrongField, ...] = ()
    detail = error.message
    if isinstance(error, ProblemError):
        findings = error.findings
    elif isinstance(error, DocumentError):
        findings = tuple(
            WrongField(place=f.place, path=f.path, message=f.message, remedy=f.remedy) for f in error.findings
        )
        more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
        detail = f"{findings[0].place}: {findings[0].message}{more}" if findings else error.message
    problem = Problem(
        type=f"{PREFIX}{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=path,
        place=error.place,
        remedy=_REMEDIES.get(kind.code, error.remedy),
        findings=findings[:MOST_FINDINGS],
    )
    headers = dict(error.headers) if isinstance(error, ProblemError) else {}
    if kind.retry_s:
        headers.setdefault("Retry-After", str(kind.retry_s))
    if kind.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return problem, headers


def _kind(error: GedgeError) -> Kind:
    if isinstance(error, ProblemError):
        return error.kind
    if isinstance(error, ForbiddenError):
        return CODES["unauthenticated" if error.status == HTTPStatus.UNAUTHORIZED else "forbidden"]
    for known, code in _OURS:
        if isinstance(error, known):
            return CODES[code]
    if isinstance(error, KubeError):
        failed = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return CODES["cluster-unavailable" if failed else "cluster-refused"]
    return CODES["not-possible"]
