"""The application: operations, errors as problems, and what stands before both."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from http import HTTPStatus
from typing import Any

import anyio
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from gedge_provision.adapters.kube_callers import CallerKubes
from gedge_provision.gse._guard import Guard
from gedge_provision.gse._inputs import refuse_unknown
from gedge_provision.gse._metrics import Metrics
from gedge_provision.gse._openapi import openapi
from gedge_provision.gse._page import page_routes
from gedge_provision.gse._problems import CATALOGUE, MEDIA_TYPE, ProblemError, WrongField, problem_of
from gedge_provision.gse._settings import Settings
from gedge_provision.gse._watches import Watches
from gedge_provision.gse._work import Work
from gedge_provision.gse.routes import cluster, documents, meshes, services, system, templates, verbs, watches
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.wording import in_plain_words
from gedge_provision.services import LimitRange

__all__ = ["create_app", "drain", "openapi_document"]

_BODIES = (LimitRange, services.Changed, verbs.Scale, verbs.Back, templates.FromService, documents.ServiceDocuments)
_STREAM_THREADS = 200
_BY_STATUS = {int(kind.status): kind.code for kind in reversed(CATALOGUE)}


def create_app(settings: Settings, kubes: CallerKubes) -> FastAPI:
    """Return the application.

    Args:
        settings: how it is set up.
        kubes: the cluster, for callers with their tokens.
    """
    app = _bare()
    metrics = Metrics()
    app.state.settings = settings
    app.state.kubes = kubes
    app.state.metrics = metrics
    app.state.watches = Watches(settings, metrics)
    app.state.work = Work(settings.rollouts, settings.rollouts_each, metrics)
    app.state.draining = threading.Event()
    app.state.followed = set()
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    return app


def drain(app: FastAPI) -> None:
    """Have an application say that it is not ready, and end what would go on without end: watches, followed logs."""
    app.state.draining.set()
    app.state.watches.end()
    for pieces in tuple(app.state.followed):
        pieces.stop()


@cache
def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document: the same for every server of this version."""
    return openapi(_bare(), _BODIES)


def _bare() -> FastAPI:
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
        dependencies=[Depends(refuse_unknown)],
        generate_unique_id_function=_operation_id,
    )
    for module in (system, cluster, services, verbs, documents, templates, meshes, watches):
        app.include_router(module.router)
    app.add_api_route(
        "/gse/v1/openapi.json", _document, methods=["GET"], include_in_schema=False, response_class=JSONResponse
    )
    app.router.routes.extend(page_routes())
    app.add_exception_handler(GedgeError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_wrong_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = app.state.settings.threads
    app.state.stream_threads = anyio.CapacityLimiter(_STREAM_THREADS)
    yield


async def _document() -> JSONResponse:
    return JSONResponse(openapi_document())


def _operation_id(route: APIRoute) -> str:
    return route.name


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GedgeError)  # noqa: S101 - registered for no other
    problem, headers = problem_of(error, request.url.path)
    return JSONResponse(problem.model_dump(), problem.status, headers, MEDIA_TYPE)


async def _on_wrong_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for no other
    findings = []
    for one in error.errors():
        place, *path = one["loc"]
        message, remedy = in_plain_words(one)
        findings.append(WrongField(place=str(place), path=".".join(map(str, path)), message=message, remedy=remedy))
    first = findings[0]
    more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
    detail = f"{first.place} {first.path}: {first.message}{more}"
    return await _on_error(request, ProblemError("malformed-request", detail, findings=tuple(findings)))


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for no other
    code = _BY_STATUS.get(error.status_code, "malformed-request")
    if error.status_code == HTTPStatus.NOT_FOUND:
        problem = ProblemError("not-found", "there is no such path", remedy="see /gse/v1/openapi.json")
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = {"Allow": ", ".join(_methods(request.url.path)) or dict(error.headers or {}).get("Allow", "GET")}
        problem = ProblemError(code, f"{request.method[:20]} is not for this path", headers=allowed)
    else:
        problem = ProblemError(code, str(error.detail), headers=error.headers)
    return await _on_error(request, problem)


def _methods(path: str) -> list[str]:
    """Return the methods of the operations of a path: the routes tell only those of the first that has it."""
    found = [operations for pattern, operations in _patterns() if pattern.fullmatch(path)]
    return sorted(method.upper() for operations in found[:1] for method in operations)


@cache
def _patterns() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    paths = openapi_document()["paths"]
    return [(compile_path(path)[0], operations) for path, operations in paths.items()]
