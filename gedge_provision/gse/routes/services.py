"""Services: listed, shown, created, replaced, changed, deleted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from gedge_provision.adapters.kube import ConflictError, Kube, NotFoundError
from gedge_provision.gse._callers import Asked, KubeOf
from gedge_provision.gse._inputs import Document, Flag, Json, NamespaceName, ServiceName, read_json
from gedge_provision.gse._openapi import changes, document_body, json_body, needs
from gedge_provision.gse._pages import Page, Paging, paged
from gedge_provision.gse._problems import ProblemError
from gedge_provision.gse._rollouts import (
    Ended,
    Going,
    Options,
    ServiceDocument,
    TimeoutS,
    as_document,
    begin,
    check_etag,
    found_service,
    has_seen,
    load,
    tagged,
)
from gedge_provision.gse.routes._permissions import DELETES, LISTS, READS_REVISIONS, ROLLS_OUT
from gedge_provision.models.cluster import DEPLOYMENT, STATEFUL_SET, Manifest, Metadata
from gedge_provision.models.documents import Source, validate
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.rollouts import Strategy
from gedge_provision.models.schemas import DocumentKind
from gedge_provision.models.service import Service, ServiceFile
from gedge_provision.planning.manifests import MANAGED, render
from gedge_provision.planning.rollouts import digest_of
from gedge_provision.services import Applied, apply_service, delete_service, list_services, wanted_service
from gedge_provision.services.namespaces import check_namespace
from gedge_provision.services.status import service_key

__all__ = ["Changed", "router"]

router = APIRouter(prefix="/gse/v1", tags=["services"])
_ALL = "/namespaces/{namespace}/services"
_ONE = f"{_ALL}/{{name}}"
_GONE_S = 5.0
_AT_ONCE = 8
_DETAIL = Literal["name", "summary", "full"]


@dataclass(frozen=True)
class ServiceEntry:
    """A service in a list; how much of it is told is what `detail` asks for."""

    name: str
    namespace: str
    created: datetime | None = None
    ready: bool | None = None
    detail: str | None = None
    scaling: str | None = None
    urls: tuple[str, ...] | None = None
    revision: int | None = None
    document: Manifest | None = None


class Changed(BaseModel):
    """What is merged into a service (RFC 7396): null takes a label away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: dict[str, str | None] | None = Field(None, examples=[{"tier": "front"}])
    node_selector: dict[str, str | None] | None = Field(None, alias="nodeSelector")


Sort = Annotated[
    Literal["name", "-name", "created", "-created", "ready", "-ready"],
    Query(description="By what they are sorted; with a minus the other way round."),
]
NameFilter = Annotated[str, Query(max_length=63, pattern="^[a-z0-9-]*$", description="A part of the name.")]
ReadyFilter = Annotated[Flag | None, Query(description="Only those that are ready, or are not.")]
# Source: Kubernetes documentation, "Labels and Selectors", syntax and character set.
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_WORD = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LabelFilter = Annotated[
    str,
    Query(
        max_length=253,
        pattern=rf"^(({_SUBDOMAIN}/)?{_WORD}=({_WORD})?)?$",
        description="Label that they have: KEY=VALUE.",
    ),
]
Detail = Annotated[_DETAIL, Query(description="name: names alone; summary: how they do; full: with their documents.")]


@dataclass(frozen=True)
class _Listing:
    """Which services a list has, and in which order."""

    paging: Paging
    sort: Sort = "name"
    name: NameFilter = ""
    ready: ReadyFilter = None
    label: LabelFilter = ""
    detail: Detail = "summary"

    @property
    def labels(self) -> dict[str, str]:
        """The label that they have."""
        key, _, value = self.label.partition("=")
        return {key: value} if key else {}

    @property
    def others(self) -> bool:
        """Whether the label is one of what is no service of ours."""
        return any(MANAGED.get(key, value) != value for key, value in self.labels.items())


Listing = Annotated[_Listing, Depends()]


@router.get(
    "/services",
    summary="List services of all namespaces",
    openapi_extra=needs(*(f"{one} @cluster" for one in LISTS)),
)
def list_all_services(kube: KubeOf, wanted: Listing) -> Page[ServiceEntry]:
    """Return the services of all namespaces."""
    return _listed(kube, None, wanted)


@router.get(
    _ALL,
    summary="List services",
    openapi_extra=needs(*LISTS),
)
def list_namespace_services(kube: KubeOf, namespace: NamespaceName, wanted: Listing) -> Page[ServiceEntry]:
    """Return the services of a namespace."""
    return _listed(kube, namespace, wanted)


@router.post(
    _ALL,
    summary="Create a service",
    status_code=202,
    openapi_extra=needs(*ROLLS_OUT) | document_body(DocumentKind.SERVICE),
    responses={200: {"model": Ended, "description": "A dry run, or there is this very service already."}},
)
def create_service(asked: Asked, namespace: NamespaceName, body: Document, options: Options) -> Ended:
    """Make the cluster run a service; the rollout goes on after the answer.

    The same document a second time changes nothing; another one of that name is refused: PUT replaces.
    """
    service, _ = load(asked, namespace, body, accelerated=not options.without_acceleration)
    found = found_service(asked.kube, service.name, namespace)
    if found is not None and found[0].digest == digest_of(render(service, namespace)):
        if found[0].unfinished:
            return begin_apply(asked, service, namespace, options)
        asked.response.status_code = 200
        return Applied(service.name, namespace, (), "ready", found[0].number)
    if found is not None:
        raise ConflictError(
            "there is a service of that name, with another document",
            place=f"{namespace}/{service.name}",
            remedy="replace it by PUT, or give this one another name",
        )
    return begin_apply(asked, service, namespace, options)


@router.get(
    _ONE,
    summary="Show a service's document",
    openapi_extra=needs(*READS_REVISIONS),
    responses={304: {"description": "It is what If-None-Match says."}},
)
def show_service(asked: Asked, namespace: NamespaceName, name: ServiceName) -> ServiceDocument:
    """Return what a service is to be; its ETag changes with every revision."""
    revision, service = wanted_service(asked.kube, name, namespace)
    tag = tagged(revision)
    asked.response.headers["ETag"] = tag
    if has_seen(asked.request, revision):
        return Response(status_code=304, headers={"ETag": tag})  # type: ignore[return-value]
    return as_document(revision, service, namespace)


@router.put(
    _ONE,
    summary="Create or replace a service",
    status_code=202,
    openapi_extra=needs(*ROLLS_OUT) | document_body(DocumentKind.SERVICE),
    responses={200: {"model": Ended, "description": "It has ended already: a dry run, or nothing was to be done."}},
)
def put_service(
    asked: Asked,
    namespace: NamespaceName,
    name: ServiceName,
    body: Document,
    options: Options,
) -> Ended:
    """Make a service what the document says, as `gedge service apply` does; the rollout goes on after the answer."""
    service, _ = load(asked, namespace, body, accelerated=not options.without_acceleration)
    if service.name != name:
        raise ProblemError("malformed-request", f"the document is of {service.name}, and the path of {name}")
    if {"if-match", "if-none-match"} & set(asked.request.headers):
        found = found_service(asked.kube, name, namespace)
        check_etag(asked.request, found[0] if found else None)
    return begin_apply(asked, service, namespace, options)


@router.patch(
    _ONE,
    summary="Change labels or node selection of a service",
    status_code=202,
    openapi_extra=needs(*ROLLS_OUT) | json_body("Changed"),
    responses={200: {"model": Ended, "description": "It has ended already: a dry run, or nothing was to be done."}},
)
def patch_service(
    asked: Asked,
    namespace: NamespaceName,
    name: ServiceName,
    body: Json,
    options: Options,
) -> Ended:
    """Merge labels and nodeSelector into the service's document, and roll that out."""
    wanted = read_json(body, Changed)
    revision, service = wanted_service(asked.kube, name, namespace)
    check_etag(asked.request, revision)
    written = service.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for key, change in (("labels", wanted.labels), ("nodeSelector", wanted.node_selector)):
        merged = {**written.get(key, {}), **(change or {})}
        written[key] = {one: value for one, value in merged.items() if value is not None}
    changed = _validated(written)
    return begin_apply(asked, changed, namespace, options)


@router.delete(
    _ONE,
    summary="Delete a service",
    status_code=202,
    openapi_extra=needs(*DELETES) | changes(),
    responses={204: {"description": "Nothing of it is left."}},
)
def remove_service(
    asked: Asked,
    namespace: NamespaceName,
    name: ServiceName,
    timeout_s: TimeoutS = 120,
) -> Going:
    """Delete a service with its trials and revisions; volumes of its pods stay."""
    found = found_service(asked.kube, name, namespace)
    check_etag(asked.request, found[0] if found else None)

    def run(reporter: Reporter) -> bool:
        return delete_service(asked.kube, name, namespace, reporter, timeout_s=timeout_s)

    deleted = asked.begin(run, _GONE_S, at_once=True)
    if deleted is False:
        raise NotFoundError("no such service", place=f"{namespace}/{name}")
    if deleted:
        return Response(status_code=204)  # type: ignore[return-value]
    status = f"/gse/v1/namespaces/{namespace}/services/{name}/status"
    asked.response.headers["Location"] = status
    return Going(name, namespace, "deleting", status)


def begin_apply(asked: Asked, service: Service, namespace: str, options: Options) -> Ended:
    """Begin a rollout of a service, or tell what it would change."""
    strategy: Strategy = options.strategy

    def run(reporter: Reporter) -> Applied:
        return apply_service(
            asked.kube,
            service,
            namespace,
            reporter,
            timeout_s=options.timeout_s,
            dry_run=options.dry_run,
            take_over=options.take_over,
            rollback=options.rollback,
            strategy=strategy,
        )

    if options.dry_run:
        asked.response.status_code = 200
        return run(SILENT)
    return begin(asked, namespace, service.name, run)


def _listed(kube: Kube, namespace: str | None, wanted: _Listing) -> Page[ServiceEntry]:
    sort, detail = wanted.sort, wanted.detail
    read = _names if detail == "name" and wanted.ready is None else _lines
    entries = read(kube, namespace, wanted)
    found = [
        one for one in entries if not wanted.others and wanted.name in one.name and wanted.ready in {None, one.ready}
    ]
    by = sort.removeprefix("-")

    def key(one: ServiceEntry) -> tuple[str | bool, ...]:
        first: tuple[str | bool, ...] = ()
        if by == "created":
            first = (one.created.isoformat() if one.created else "",)
        elif by == "ready":
            first = (bool(one.ready),)
        return (*first, one.namespace, one.name)

    page = paged(found, wanted.paging, key, backwards=sort.startswith("-"))
    if detail == "name":
        page = page.model_copy(update={"items": tuple(ServiceEntry(one.name, one.namespace) for one in page.items)})
    elif detail == "full":
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            page = page.model_copy(update={"items": tuple(pool.map(partial(_full, kube), page.items))})
    return page


def _lines(kube: Kube, namespace: str | None, wanted: _Listing) -> list[ServiceEntry]:
    lines = list_services(kube, namespace, labels=wanted.labels)
    return [ServiceEntry(**asdict(line)) for line in lines]


def _names(kube: Kube, namespace: str | None, wanted: _Listing) -> list[ServiceEntry]:
    found = {}
    for kind in (DEPLOYMENT, STATEFUL_SET):
        for item in kube.each(kind, namespace, labels={**wanted.labels, **MANAGED}, metadata_only=True):
            metadata = Metadata.model_validate(item["metadata"])
            key = service_key(metadata)
            found[key] = ServiceEntry(key[1], key[0], metadata.creation_timestamp)
    if namespace is not None and not found:
        check_namespace(kube, namespace)
    return list(found.values())


def _full(kube: Kube, entry: ServiceEntry) -> ServiceEntry:
    found = found_service(kube, entry.name, entry.namespace)
    if found is None:
        return entry
    shown = as_document(*found, entry.namespace)
    return replace(entry, revision=shown.revision, document=shown.document)


def _validated(written: Manifest) -> Service:
    """Return a changed service if its new labels and selectors are right."""
    source = Source("body", {"service": written}, {})
    return validate(source, ServiceFile).service
