"""Watches: lists that tell of every change, as server-sent events."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Query, Request
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from gedge_provision.gse._callers import Caller
from gedge_provision.gse._feeds import Subject
from gedge_provision.gse._openapi import needs
from gedge_provision.gse.routes._permissions import LISTS

__all__ = ["router"]

router = APIRouter(prefix="/gse/v1/watch", tags=["watches"])

_PING_S, _FAREWELL_S = 15, 5.0
_EVENTS = (
    "Server-sent events: `added` for each that there is, then `synced`, then `added`, `modified` and `deleted` as it"
    " happens, each with an item of the list as data; `problem` if it ends for a reason. A comment comes each 15 s."
)
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": _EVENTS}
}
NamespaceFilter = Annotated[
    str | None,
    Query(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", max_length=63, description="All namespaces if left out."),
]


@router.get(
    "/services",
    summary="Watch services",
    openapi_extra=needs(*LISTS, *(one.replace("list ", "watch ") for one in LISTS)),
    response_class=EventSourceResponse,
    responses=_STREAM,
)
async def watch_services(request: Request, caller: Caller, namespace: NamespaceFilter = None) -> EventSourceResponse:
    """Tell of services, and of every change of one."""
    return await _watched(request, caller, "services", namespace)


@router.get(
    "/nodes",
    summary="Watch nodes",
    openapi_extra=needs("list nodes @cluster", "watch nodes @cluster"),
    response_class=EventSourceResponse,
    responses=_STREAM,
)
async def watch_nodes(request: Request, caller: Caller) -> EventSourceResponse:
    """Tell of nodes, and of every change of one."""
    return await _watched(request, caller, "nodes", None)


async def _watched(request: Request, caller: Caller, subject: Subject, namespace: str | None) -> EventSourceResponse:
    watches = request.app.state.watches
    feed = await run_in_threadpool(watches.feed, caller.token, caller.kube, subject, namespace)
    watch = watches.watch(feed, request.url.path)
    return EventSourceResponse(
        watch.events(),
        ping=_PING_S,
        sep="\n",
        shutdown_event=anyio.Event(),
        shutdown_grace_period=_FAREWELL_S,
    )
