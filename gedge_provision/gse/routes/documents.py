"""Documents: checked, rendered, fitted, and several applied together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from gedge_provision.gse._callers import Asked
from gedge_provision.gse._inputs import Document, NamespaceName, document_of
from gedge_provision.gse._openapi import document_body, json_body, needs
from gedge_provision.gse._problems import ProblemError, WrongField
from gedge_provision.gse._rollouts import LINGER_S, Going, Options, Plain, load
from gedge_provision.gse.routes._permissions import FITS, ROLLS_OUT
from gedge_provision.models.documents import Source
from gedge_provision.models.fit import Obstacle, ServiceFit
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.schemas import DocumentKind
from gedge_provision.models.service import Service
from gedge_provision.planning.manifests import render as render_service
from gedge_provision.planning.mesh import render_mesh
from gedge_provision.services import (
    Applied,
    StoredTemplates,
    apply_services,
    check_document,
    fit_service,
    read_mesh,
    read_service,
)
from gedge_provision.services.documents import gather

__all__ = ["ServiceDocuments", "router"]

router = APIRouter(prefix="/gse/v1/namespaces/{namespace}")
_SERVICES = (DocumentKind.SERVICE,)
_ANY = (DocumentKind.SERVICE, DocumentKind.TEMPLATE, DocumentKind.MESH)
_MOST = 200


@dataclass(frozen=True)
class CheckedDocument:
    """A document that is right, and what its reader is told."""

    kind: str
    name: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class HintedNode:
    """A node that may hold a service: how many of its replicas now, and what keeps the next one off."""

    node: str
    holds: int
    obstacles: tuple[Obstacle, ...]


@dataclass(frozen=True)
class ScheduleHint:
    """Where a service is best asked to run: `node_selector` for the first of the nodes, empty where none holds it."""

    service: str
    fits: bool
    nodes: tuple[HintedNode, ...]
    node_selector: dict[str, str]


class ServiceDocuments(BaseModel):
    """Several service documents."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    documents: tuple[dict[str, Any], ...] = Field(
        examples=[[{"service": {"name": "app", "containers": [{"image": "registry.example.org/app:1.0"}]}}]]
    )


@router.post("/check", summary="Check a document", tags=["documents"], openapi_extra=needs() | document_body(*_ANY))
def check_body(asked: Asked, namespace: NamespaceName, body: Document) -> CheckedDocument:
    """Say whether a document of a service, template or mesh is right, with what is rounded or read otherwise."""
    asked.kube.user()  # nothing else may be asked of the cluster: a wrong token must be found all the same
    source = document_of(body)
    templates, site = StoredTemplates(asked.kube, namespace), asked.site
    if _is_mesh(source):
        mesh, notes = read_mesh(source, templates, site)
        return CheckedDocument("mesh", mesh.name, tuple(notes))
    checked = check_document(source, templates, site)
    return CheckedDocument(checked.kind, checked.name, checked.notes)


@router.post(
    "/render",
    summary="Render a document",
    tags=["documents"],
    openapi_extra=needs() | document_body(DocumentKind.SERVICE, DocumentKind.MESH),
)
def render_document(
    asked: Asked, namespace: NamespaceName, body: Document, without_acceleration: Plain = False
) -> list[dict[str, Any]]:
    """Return the Kubernetes manifests of a service or mesh; nothing is applied."""
    asked.kube.user()  # nothing else may be asked of the cluster: a wrong token must be found all the same
    source = document_of(body)
    templates, site = StoredTemplates(asked.kube, namespace), asked.site
    if _is_mesh(source):
        mesh, _ = read_mesh(source, templates, site, accelerated=not without_acceleration)
        return list(render_mesh(mesh, namespace))
    service, _ = read_service(source, templates, site, accelerated=not without_acceleration)
    return list(render_service(service, namespace))


@router.post(
    "/fit",
    summary="Say where a document fits",
    tags=["documents"],
    openapi_extra=needs(*FITS) | document_body(*_SERVICES),
)
def fit_document(
    asked: Asked, namespace: NamespaceName, body: Document, without_acceleration: Plain = False
) -> ServiceFit:
    """Return on which nodes a service would fit beside what runs, and how often; nothing is applied."""
    service, _ = load(asked, namespace, body, accelerated=not without_acceleration)
    return fit_service(asked.kube, service, namespace)


@router.post(
    "/schedule-hint",
    summary="Say where a document runs best",
    tags=["documents"],
    openapi_extra=needs(*FITS) | document_body(*_SERVICES),
)
def schedule_hint(
    asked: Asked, namespace: NamespaceName, body: Document, without_acceleration: Plain = False
) -> ScheduleHint:
    """Return the nodes that hold most of a service first, and the nodeSelector that asks for the first of them."""
    service, _ = load(asked, namespace, body, accelerated=not without_acceleration)
    found = fit_service(asked.kube, service, namespace)
    ordered = sorted(found.nodes, key=lambda node: (-node.holds, node.node))
    nodes = tuple(HintedNode(node.node, node.holds, node.obstacles) for node in ordered)
    best = {"kubernetes.io/hostname": nodes[0].node} if nodes and nodes[0].holds else {}
    return ScheduleHint(service.name, found.fits, nodes, best)


@router.post(
    "/apply",
    summary="Apply several services",
    tags=["services"],
    status_code=202,
    openapi_extra=needs(*ROLLS_OUT) | json_body("ServiceDocuments"),
    responses={200: {"model": list[Applied], "description": "It has ended already, or a dry run."}},
)
def apply_many(asked: Asked, namespace: NamespaceName, body: Document, options: Options) -> list[Applied | Going]:
    """Make the cluster run services as described, in the order of dependsOn; the rollouts go on after the answer."""
    templates, site = StoredTemplates(asked.kube, namespace), asked.site
    accelerated = not options.without_acceleration

    def read(source: Source) -> Service:
        return read_service(source, templates, site, accelerated=accelerated)[0]

    services = gather(read, _each(document_of(body)))
    strategy = options.strategy

    def run(reporter: Reporter) -> tuple[Applied, ...]:
        return apply_services(
            asked.kube,
            services,
            namespace,
            reporter,
            timeout_s=options.timeout_s,
            dry_run=options.dry_run,
            take_over=options.take_over,
            rollback=options.rollback,
            strategy=strategy,
        )

    asked.response.status_code = 200
    if options.dry_run:
        return list(run(SILENT))
    ended = asked.begin(run, LINGER_S)
    if ended is not None:
        return list(ended)
    asked.response.status_code = 202
    place = f"/gse/v1/namespaces/{namespace}/services"
    return [Going(one.name, namespace, "rolling out", f"{place}/{one.name}/status") for one in services]


def _is_mesh(source: Source) -> bool:
    return isinstance(source.data, dict) and "serviceMesh" in source.data


def _each(source: Source) -> Sequence[Source]:
    """Return the documents of a body as documents of their own, whose places are those in the body."""
    documents = source.data.get("documents") if isinstance(source.data, dict) else None
    if not isinstance(documents, list) or not documents or len(source.data) != 1 or len(documents) > _MOST:
        finding = WrongField(
            place="document:1", path="documents", message=f"a list of 1 to {_MOST} documents must stand here",
            remedy='write {"documents": [{"service": ...}, ...]}',
        )  # fmt: skip
        raise ProblemError("malformed-request", finding.message, findings=(finding,))
    found = []
    for index, data in enumerate(documents):
        root = ("documents", index)
        lines = {path[2:]: line for path, line in source.lines.items() if path[:2] == root}
        found.append(Source(f"{source.name} {index + 1}", data, lines))
    return found
