"""What is done with a service that is there: looked at in detail, scaled, taken back, tried, held, restarted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from gedge_provision.adapters.kube import LogPieces
from gedge_provision.gse._callers import Asked, KubeOf
from gedge_provision.gse._inputs import DIGITS, Flag, Json, NamespaceName, ServiceName, read_json
from gedge_provision.gse._openapi import changes, json_body, needs
from gedge_provision.gse._pages import Page, Paging, paged
from gedge_provision.gse._problems import ProblemError
from gedge_provision.gse._rollouts import Ended, TimeoutS, begin
from gedge_provision.gse.routes._permissions import FITS, OBSERVES, READS_REVISIONS, ROLLS_OUT
from gedge_provision.models.fit import ServiceFit
from gedge_provision.models.progress import Reporter
from gedge_provision.services import (
    Applied,
    EventLine,
    HistoryLine,
    ServiceStatus,
    fit_service,
    follow_log,
    pause_service,
    promote_service,
    read_diff,
    read_events,
    read_history,
    read_status,
    restart_service,
    resume_service,
    rollback_service,
    scale_service,
    wanted_service,
)

__all__ = ["Back", "Scale", "router"]

router = APIRouter(prefix="/gse/v1/namespaces/{namespace}/services/{name}", tags=["services"])

Revision = Annotated[int, Field(ge=1), DIGITS]
_SILENT_S, _FOLLOWED_S = 60.0, 3600.0
_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Text."}
}


class Scale(BaseModel):
    """How many pods a service is to have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replicas: int = Field(ge=1, le=1000, examples=[2])


class Back(BaseModel):
    """To which revision a service goes back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: int | None = Field(
        None, ge=1, le=1_000_000, description="Its number; the last good one before if left out.", examples=[1]
    )
    take_over: bool = Field(default=False, description="Overwrite fields that another field manager set.")


class Paused(BaseModel):
    """Whether a service was held back by this very call."""

    name: str
    namespace: str
    paused: bool
    changed: bool


@router.get(
    "/status",
    summary="Show how a service does",
    openapi_extra=needs(*OBSERVES, *READS_REVISIONS),
)
def service_status(kube: KubeOf, namespace: NamespaceName, name: ServiceName) -> ServiceStatus:
    """Return a service with its pods, what keeps it, and how its rollout stands."""
    return read_status(kube, namespace, name)


@router.get("/events", summary="List events of a service", openapi_extra=needs(*OBSERVES))
def service_events(kube: KubeOf, namespace: NamespaceName, name: ServiceName, paging: Paging) -> Page[EventLine]:
    """Return what Kubernetes reported of the objects of a service, newest first."""
    found = list(dict.fromkeys(read_events(kube, namespace, name)))
    return paged(found, paging, lambda one: (one.time, one.object, one.reason, one.message), backwards=True)


@router.get("/history", summary="List revisions of a service", openapi_extra=needs(*READS_REVISIONS))
def service_history(kube: KubeOf, namespace: NamespaceName, name: ServiceName) -> list[HistoryLine]:
    """Return the revisions of a service that are kept, oldest first."""
    return list(read_history(kube, name, namespace))


@router.get(
    "/diff",
    summary="Show the difference of two revisions",
    openapi_extra=needs(*READS_REVISIONS),
    response_class=PlainTextResponse,
    responses=_TEXT | {409: {"$ref": "#/components/responses/409"}},
)
def service_diff(
    kube: KubeOf,
    namespace: NamespaceName,
    name: ServiceName,
    old: Annotated[Revision | None, Query(description="The one; that before `new` if left out.")] = None,
    new: Annotated[Revision | None, Query(description="The other; the newest if left out.")] = None,
) -> PlainTextResponse:
    """Return what differs between the manifests of two revisions, as diff -u prints it; nothing when nothing does."""
    return PlainTextResponse(read_diff(kube, name, namespace, old=old, new=new))


@router.get("/fit", summary="Say where a service fits", openapi_extra=needs(*READS_REVISIONS, *FITS))
def service_fit(
    kube: KubeOf,
    namespace: NamespaceName,
    name: ServiceName,
    replicas: Annotated[
        Annotated[int, Field(ge=1, le=1000), DIGITS] | None, Query(description="How many are to fit.")
    ] = None,
) -> ServiceFit:
    """Return on which nodes a service fits beside what runs, and how often."""
    _, service = wanted_service(kube, name, namespace)
    return fit_service(kube, service, namespace, replicas=replicas)


@router.get(
    "/logs",
    summary="Read a log of a service",
    openapi_extra=needs(*OBSERVES, "get pods/log"),
    response_class=StreamingResponse,
    responses={
        409: {"$ref": "#/components/responses/409"},
        200: {
            **_TEXT[200],
            "headers": {
                "X-Gse-Pod": {"schema": {"type": "string"}, "description": "Of which pod."},
                "X-Gse-Container": {"schema": {"type": "string"}, "description": "Of which container."},
            },
        },
    },
)
def service_logs(  # noqa: PLR0913, PLR0917 - one per parameter
    asked: Asked,
    namespace: NamespaceName,
    name: ServiceName,
    pod: Annotated[str | None, Query(max_length=253, pattern="^[a-z0-9.-]+$", description="The first by name.")] = None,
    container: Annotated[str | None, Query(max_length=63, pattern="^[a-z0-9-]+$", description="The first.")] = None,
    tail: Annotated[
        int, Field(ge=0, le=10_000), DIGITS, Query(description="So many lines of what was said before.")
    ] = 100,
    follow: Annotated[Flag, Query(description="Go on until the container ends.")] = False,
    previous: Annotated[Flag, Query(description="Of the run before the present one.")] = False,
) -> StreamingResponse:
    """Return the log of a pod as text; X-Gse-Pod and X-Gse-Container say of which."""
    found = follow_log(
        asked.kube,
        name,
        namespace,
        pod=pod,
        container=container,
        lines=tail,
        follow=follow,
        previous=previous,
        limit_s=_FOLLOWED_S if follow else _SILENT_S,
    )
    told = {"X-Gse-Pod": found.pod, "X-Gse-Container": found.container}
    return StreamingResponse(_pieces(asked.request, found.pieces), media_type="text/plain; charset=utf-8", headers=told)


@router.post(
    "/scale",
    summary="Scale a service",
    status_code=202,
    openapi_extra=needs(*ROLLS_OUT) | json_body("Scale"),
    responses={200: {"model": Ended, "description": "It has ended already."}},
)
def scale(
    asked: Asked,
    namespace: NamespaceName,
    name: ServiceName,
    body: Json,
    timeout_s: TimeoutS = 120,
) -> Ended:
    """Give a service another number of pods, as a new revision."""
    wanted = read_json(body, Scale)

    def run(reporter: Reporter) -> Applied:
        return scale_service(asked.kube, name, wanted.replicas, namespace, reporter, timeout_s=timeout_s)

    return begin(asked, namespace, name, run)


@router.post(
    "/rollback",
    summary="Take a service back",
    status_code=202,
    openapi_extra=needs(*ROLLS_OUT) | json_body("Back"),
    responses={200: {"model": Ended, "description": "It has ended already."}},
)
def rollback(
    asked: Asked,
    namespace: NamespaceName,
    name: ServiceName,
    body: Json,
    timeout_s: TimeoutS = 120,
) -> Ended:
    """Bring an earlier revision back, or end a trial or an unfinished rollout."""
    wanted = read_json(body, Back)

    def run(reporter: Reporter) -> Applied:
        return rollback_service(
            asked.kube, name, namespace, reporter, to=wanted.to, timeout_s=timeout_s, take_over=wanted.take_over
        )

    return begin(asked, namespace, name, run)


@router.post(
    "/pause", summary="Hold a service's pods", openapi_extra=needs(*OBSERVES, "patch deployments.apps") | changes()
)
def pause(kube: KubeOf, namespace: NamespaceName, name: ServiceName) -> Paused:
    """Hold back any change of a service's pods until resume."""
    changed = pause_service(kube, name, namespace)
    return Paused(name=name, namespace=namespace, paused=True, changed=changed)


def _simple(verb: Callable[..., Applied]) -> Callable[..., Ended]:
    def run(
        asked: Asked,
        namespace: NamespaceName,
        name: ServiceName,
        timeout_s: TimeoutS = 120,
    ) -> Ended:
        def work(reporter: Reporter) -> Applied:
            return verb(asked.kube, name, namespace, reporter, timeout_s=timeout_s)

        return begin(asked, namespace, name, work)

    run.__doc__ = (verb.__doc__ or "").partition("\n\n")[0]
    return run


_LOOKS = (*OBSERVES, *READS_REVISIONS, "list resourceclaimtemplates.resource.k8s.io")
for path, verb, summary, permissions in (
    ("/promote", promote_service, "Promote what is on trial", ROLLS_OUT),
    # Where nothing is to be gone on with, it only looks.
    ("/resume", resume_service, "Go on with a rollout", _LOOKS),
    ("/restart", restart_service, "Restart a service's pods", (*_LOOKS, "patch deployments.apps")),
):
    router.post(
        path,
        summary=summary,
        status_code=202,
        operation_id=f"{path[1:]}_service",
        openapi_extra=needs(*permissions) | changes(),
        responses={200: {"model": Ended, "description": "It has ended already."}},
    )(_simple(verb))


async def _pieces(request: Request, pieces: LogPieces) -> AsyncIterator[bytes]:
    """Yield pieces of a log, each waited for in a thread of those for streams."""
    state = request.app.state
    if state.stream_threads.available_tokens <= 0:
        pieces.stop()
        raise ProblemError("too-busy", "too many logs are followed here")
    state.metrics.logs.inc()
    state.followed.add(pieces)
    try:
        while True:
            piece = await anyio.to_thread.run_sync(
                next, pieces, b"", limiter=state.stream_threads, abandon_on_cancel=True
            )
            if not piece:
                return
            yield piece
    finally:
        pieces.stop()  # the thread that waits for the next piece would keep the server from ending
        state.followed.discard(pieces)
        state.metrics.logs.dec()
