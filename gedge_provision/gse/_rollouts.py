"""How operations roll services out: their options, documents with what the site and stored templates add, answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request
from pydantic import Field

from gedge_provision.adapters.kube import Kube, NotFoundError
from gedge_provision.gse._callers import Asked
from gedge_provision.gse._inputs import DIGITS, Flag, RawBody, document_of
from gedge_provision.gse._problems import ProblemError, WrongField
from gedge_provision.models.cluster import Manifest
from gedge_provision.models.progress import Reporter
from gedge_provision.models.rollouts import Revision, Strategy
from gedge_provision.models.service import Service
from gedge_provision.services import Applied, StoredTemplates, read_service, wanted_service

__all__ = [
    "Going",
    "Options",
    "Plain",
    "ServiceDocument",
    "TimeoutS",
    "begin",
    "check_etag",
    "found_service",
    "has_seen",
    "load",
    "tagged",
]

T = TypeVar("T")

LINGER_S = 1.5
"""So long an answer waits for the end of a rollout that may have nothing to do."""

TimeoutS = Annotated[
    int,
    Field(ge=1, le=3600),
    DIGITS,
    Query(description="Seconds without any headway after which a service has failed."),
]
Plain = Annotated[Flag, Query(description="Drop every acceleration block: no devices, no CPUs of its own.")]


@dataclass(frozen=True)
class RolloutOptions:
    """How a rollout is carried out: the options of `gedge service apply`."""

    dry_run: Annotated[Flag, Query(description="Check everything on the server, and say what would change.")] = False
    take_over: Annotated[
        Flag, Query(description="Overwrite fields that another field manager set to another value.")
    ] = False
    rollback: Annotated[
        Flag, Query(description="Go back to the revision that ran when the new one does not get ready.")
    ] = True
    canary: Annotated[
        Annotated[int, Field(ge=1, le=99), DIGITS] | None,
        Query(description="Give the new revision this share of the pods, in percent."),
    ] = None
    blue_green: Annotated[Flag, Query(description="Bring it up beside the old one, without traffic.")] = False
    without_acceleration: Plain = False
    timeout_s: TimeoutS = 120

    @property
    def strategy(self) -> Strategy:
        """How new pods take the place of old ones.

        Raises:
            ProblemError: two ways at once.
        """
        if self.canary and self.blue_green:
            finding = WrongField(
                place="query",
                path="blue_green",
                message="a rollout is either a canary or blue-green",
                remedy="leave one of the two out",
            )
            raise ProblemError("malformed-request", finding.message, findings=(finding,))
        return (
            Strategy("canary", self.canary) if self.canary else Strategy("blue-green" if self.blue_green else "rolling")
        )


Options = Annotated[RolloutOptions, Depends()]


@dataclass(frozen=True)
class Going:
    """A rollout that goes on after the answer.

    Attributes:
        name: the service.
        namespace: where it is.
        state: rolling out, or deleting.
        status: the path that tells how it does; `rollout` there is empty once it has ended, or says what is on
            trial.
    """

    name: str
    namespace: str
    state: str
    status: str


@dataclass(frozen=True)
class ServiceDocument:
    """A service as it was asked for.

    Attributes:
        name: its name.
        namespace: where it is.
        revision: the number of the revision that it is to have.
        document: with everything that its template and the site added to it.
        labels: of the document.
    """

    name: str
    namespace: str
    revision: int
    document: Manifest
    labels: dict[str, str]


def load(asked: Asked, namespace: str, body: RawBody, *, accelerated: bool) -> tuple[Service, list[str]]:
    """Return the service of a body, with its stored template and what the site adds, and what its reader is told."""
    templates = StoredTemplates(asked.kube, namespace)
    return read_service(document_of(body), templates, asked.site, accelerated=accelerated)


def found_service(kube: Kube, name: str, namespace: str) -> tuple[Revision, Service] | None:
    """Return the revision that a service is to have, and its document; None where there is no such service."""
    try:
        return wanted_service(kube, name, namespace)
    except NotFoundError:
        return None


def as_document(revision: Revision, service: Service, namespace: str) -> ServiceDocument:
    """Return a service as clients get it."""
    written = service.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return ServiceDocument(service.name, namespace, revision.number, {"service": written}, dict(service.labels))


def tagged(revision: Revision) -> str:
    """Return the ETag of a service: another one for each revision."""
    text = f"{revision.service} {revision.number} {revision.digest}"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:24]}"'


def has_seen(request: Request, revision: Revision | None) -> bool:
    """Tell whether a service is one that the caller says it has (RFC 9110, If-None-Match); `*` means any."""
    tags = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return revision is not None and ("*" in tags or tagged(revision) in tags)


def check_etag(request: Request, revision: Revision | None) -> None:
    """Make sure that a service is still what the caller has seen, or is not there yet, if it says so.

    Raises:
        ProblemError: it is not.
    """
    wanted = request.headers.get("if-match")
    tags = [tag.strip() for tag in (wanted or "").split(",")]
    if wanted is not None and (revision is None or ("*" not in tags and tagged(revision) not in tags)):
        raise ProblemError(
            "precondition-failed",
            "the service is not what it was" if revision else "there is no such service",
            remedy="get it again, and apply your change to that",
        )
    if has_seen(request, revision):
        raise ProblemError(
            "precondition-failed",
            "If-None-Match: there is this service already",
            remedy="leave the header out to replace it",
        )


def begin(asked: Asked, namespace: str, name: str, run: Callable[[Reporter], T]) -> T | Going:
    """Begin a rollout; answer what became of it if it ends at once, else that it goes on."""
    ended = asked.begin(run, LINGER_S)
    if ended is not None:
        asked.response.status_code = 200
        return ended
    status = f"/gse/v1/namespaces/{namespace}/services/{name}/status"
    asked.response.status_code = 202
    asked.response.headers["Location"] = status
    return Going(name, namespace, "rolling out", status)


Ended = Applied | Going
"""What became of a rollout, or that it goes on."""
