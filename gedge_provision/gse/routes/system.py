"""The server itself: its health and figures, the OpenAPI document, the kinds of problems, who the caller is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from gedge_provision.gse._callers import KubeOf
from gedge_provision.gse._openapi import needs
from gedge_provision.gse._problems import CATALOGUE, CODES, ProblemError

__all__ = ["router"]

router = APIRouter()


@dataclass(frozen=True)
class Health:
    """How the server is."""

    status: str


@dataclass(frozen=True)
class ProblemKind:
    """A kind of problem."""

    type: str
    status: int
    title: str
    meaning: str
    retry_after: int


@dataclass(frozen=True)
class User:
    """Who the Kubernetes API takes the caller for."""

    username: str
    groups: tuple[str, ...]


@router.get("/healthz", summary="Whether the server runs", tags=["server"])
async def healthz() -> Health:
    """Answer as long as the server runs; nothing else is looked at."""
    return Health("ok")


@router.get("/readyz", summary="Whether requests are to be sent here", tags=["server"])
def readyz(request: Request) -> Health:
    """Answer 200 while the server takes requests and the Kubernetes API is ready."""
    if request.app.state.draining.is_set():
        raise ProblemError("too-busy", "the server is ending")
    if not request.app.state.kubes.of("").is_ready():
        raise ProblemError("cluster-unavailable", "the Kubernetes API is not ready")
    return Health("ok")


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    tags=["server"],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The figures."}},
)
async def metrics(request: Request) -> Response:
    """Return counts and times by operation; no names, no documents, no tokens."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)


@router.get("/gse/v1/problems", summary="The kinds of problems", tags=["server"])
async def list_problems() -> list[ProblemKind]:
    """Return every kind of problem that answers may have."""
    return [_told(code) for code in (kind.code for kind in CATALOGUE)]


@router.get(
    "/gse/v1/problems/{code}",
    summary="A kind of problem",
    tags=["server"],
    responses={404: {"$ref": "#/components/responses/404"}},
)
async def read_problem(
    code: Annotated[str, Path(pattern="^[a-z-]{1,40}$", description="The end of its type.")],
) -> ProblemKind:
    """Return what a kind of problem means; its path is the `type` of such problems."""
    if code not in CODES:
        raise ProblemError("not-found", f"there is no kind of problem {code}", remedy="see /gse/v1/problems")
    return _told(code)


@router.get("/gse/v1/whoami", summary="Who the caller is", tags=["server"], openapi_extra=needs())
def whoami(kube: KubeOf) -> User:
    """Return the name and groups that the Kubernetes API knows the caller by."""
    return User(*kube.user())


def _told(code: str) -> ProblemKind:
    kind = CODES[code]
    return ProblemKind(f"/gse/v1/problems/{code}", kind.status, kind.title, kind.meaning, kind.retry_s)
