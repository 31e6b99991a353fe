"""Documents: checked, rendered, fitted, applied together; templates and service meshes that a namespace keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from gedge_provision.adapters.kube import Kube, NotFoundError
from gedge_provision.gse._callers import Asked, KubeOf
from gedge_provision.gse._inputs import Document, NamespaceName, ServiceName, document_of
from gedge_provision.gse._openapi import changes, document_body, json_body, needs
from gedge_provision.gse._pages import Cursor, Limit, Page, paged
from gedge_provision.gse._problems import ProblemError, WrongField
from gedge_provision.gse._rollouts import LINGER_S, Going, Options, Plain, TimeoutS, load
from gedge_provision.gse.routes._permissions import DELETES_MESHES, FITS, MESHES, ROLLS_MESHES_OUT, ROLLS_OUT
from gedge_provision.models.cluster import Manifest
from gedge_provision.models.documents import Source, parse_yaml, validate
from gedge_provision.models.fit import Obstacle, ServiceFit
from gedge_provision.models.mesh import LoadedMesh
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.schemas import DocumentKind
from gedge_provision.models.service import Service
from gedge_provision.models.service import ServiceName as NameOfService
from gedge_provision.planning.manifests import render as render_service
from gedge_provision.planning.mesh import render_mesh
from gedge_provision.services import (
    Applied,
    MeshApplied,
    MeshLine,
    MeshStatus,
    StoredTemplate,
    StoredTemplates,
    apply_mesh,
    apply_services,
    check_document,
    delete_mesh,
    delete_template,
    fit_service,
    list_meshes,
    list_templates,
    read_mesh,
    read_mesh_document,
    read_mesh_status,
    read_service,
    read_template,
    running_service,
    store_template,
    template_of_service,
)
from gedge_provision.services.documents import gather

__all__ = ["FromService", "ServiceDocuments", "router"]

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


@dataclass(frozen=True)
class MeshDocument:
    """A service mesh as its document says; what its services consist of is theirs to tell."""

    name: str
    namespace: str
    document: Manifest


class FromService(BaseModel):
    """A template that says what a service says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_service: NameOfService = Field(examples=["app"])
    name: NameOfService = Field(examples=["app"])


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
    ended = asked.work.begin(run, LINGER_S)
    if ended is not None:
        return list(ended)
    asked.response.status_code = 202
    place = f"/gse/v1/namespaces/{namespace}/services"
    return [Going(one.name, namespace, "rolling out", f"{place}/{one.name}/status") for one in services]


@router.get("/templates", summary="List templates", tags=["templates"], openapi_extra=needs("list configmaps"))
def list_stored_templates(
    kube: KubeOf, namespace: NamespaceName, limit: Limit = 100, cursor: Cursor = ""
) -> Page[StoredTemplate]:
    """Return the templates that the namespace keeps, by name."""
    return paged(list_templates(kube, namespace), limit, cursor, lambda one: (one.name,))


@router.post(
    "/templates",
    summary="Create a template",
    tags=["templates"],
    status_code=201,
    openapi_extra=needs("get configmaps", "create configmaps", "patch configmaps", "get namespaces")
    | {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "anyOf": [
                            {"$ref": "#/components/schemas/template-document"},
                            {"$ref": "#/components/schemas/FromService"},
                        ]
                    }
                },
                "application/yaml": {"schema": {"$ref": "#/components/schemas/template-document"}},
            },
        }
    },
    responses={200: {"model": StoredTemplate, "description": "There is this very template already."}},
)
def create_template(asked: Asked, namespace: NamespaceName, body: Document) -> StoredTemplate:
    """Keep a template, or what a service of the namespace says as one; another one of that name is refused."""
    source = document_of(body)
    if isinstance(source.data, dict) and "from_service" in source.data:
        source = _of_service(asked.kube, namespace, source)
    stored, changed = store_template(asked.kube, namespace, source, replace=False)
    asked.response.status_code = 201 if changed else 200
    return stored


@router.get("/templates/{name}", summary="Show a template", tags=["templates"], openapi_extra=needs("get configmaps"))
def show_template(kube: KubeOf, namespace: NamespaceName, name: ServiceName) -> StoredTemplate:
    """Return a template."""
    return read_template(kube, namespace, name)


@router.put(
    "/templates/{name}",
    summary="Create or replace a template",
    tags=["templates"],
    openapi_extra=needs("get configmaps", "create configmaps", "patch configmaps", "get namespaces")
    | document_body(DocumentKind.TEMPLATE),
    responses={201: {"model": StoredTemplate, "description": "It is new, or changed."}},
)
def put_template(asked: Asked, namespace: NamespaceName, name: ServiceName, body: Document) -> StoredTemplate:
    """Make a template what the document says; services that were made with it stay as they are."""
    source = document_of(body)
    _check_name(source, "template", name)
    stored, changed = store_template(asked.kube, namespace, source, replace=True)
    asked.response.status_code = 201 if changed else 200
    return stored


@router.delete(
    "/templates/{name}",
    summary="Delete a template",
    tags=["templates"],
    status_code=204,
    openapi_extra=needs("get configmaps", "delete configmaps"),
)
def remove_template(kube: KubeOf, namespace: NamespaceName, name: ServiceName) -> None:
    """Delete a template; services that were made with it stay as they are."""
    delete_template(kube, namespace, name)


@router.get("/meshes", summary="List service meshes", tags=["meshes"], openapi_extra=needs(*MESHES, "list configmaps"))
def list_namespace_meshes(
    kube: KubeOf, namespace: NamespaceName, limit: Limit = 100, cursor: Cursor = ""
) -> Page[MeshLine]:
    """Return the service meshes of a namespace, by name."""
    return paged(list_meshes(kube, namespace), limit, cursor, lambda one: (one.name,))


@router.get(
    "/meshes/{name}",
    summary="Show a service mesh's document",
    tags=["meshes"],
    openapi_extra=needs("get configmaps"),
)
def show_mesh(kube: KubeOf, namespace: NamespaceName, name: ServiceName) -> MeshDocument:
    """Return what of a mesh's document is kept: its services by name and version, and its routes."""
    return MeshDocument(name, namespace, read_mesh_document(kube, namespace, name))


@router.get(
    "/meshes/{name}/status",
    summary="Show how a service mesh does",
    tags=["meshes"],
    openapi_extra=needs(*MESHES, "get configmaps"),
)
def mesh_status(kube: KubeOf, namespace: NamespaceName, name: ServiceName) -> MeshStatus:
    """Return a mesh with its versions, its routes, and who routes by them."""
    return read_mesh_status(kube, namespace, name)


@router.put(
    "/meshes/{name}",
    summary="Create or replace a service mesh",
    tags=["meshes"],
    status_code=202,
    openapi_extra=needs(*ROLLS_MESHES_OUT) | document_body(DocumentKind.MESH),
    responses={200: {"model": MeshApplied, "description": "It has ended already, or a dry run."}},
)
def put_mesh(
    asked: Asked,
    namespace: NamespaceName,
    name: ServiceName,
    body: Document,
    options: Options,
) -> MeshApplied | Going:
    """Make the cluster run a mesh as its document says, as `gedge mesh apply` does; it goes on after the answer."""
    source = document_of(body)
    _check_name(source, "serviceMesh", name)
    mesh: LoadedMesh = read_mesh(
        source,
        StoredTemplates(asked.kube, namespace),
        asked.site,
        accelerated=not options.without_acceleration,
    )[0]
    if options.strategy.way != "rolling" or not options.rollback:
        raise ProblemError("malformed-request", "canary, blue_green and rollback are of services, not of meshes")

    def run(reporter: Reporter) -> MeshApplied:
        return apply_mesh(
            asked.kube,
            mesh,
            namespace,
            reporter,
            timeout_s=options.timeout_s,
            dry_run=options.dry_run,
            take_over=options.take_over,
        )

    asked.response.status_code = 200
    if options.dry_run:
        return run(SILENT)
    ended = asked.work.begin(run, LINGER_S)
    return ended if ended is not None else _going(asked.response, namespace, name, "rolling out")


@router.delete(
    "/meshes/{name}",
    summary="Delete a service mesh",
    tags=["meshes"],
    status_code=202,
    openapi_extra=needs(*DELETES_MESHES) | changes(),
    responses={204: {"description": "Nothing of it is left."}},
)
def remove_mesh(
    asked: Asked,
    namespace: NamespaceName,
    name: ServiceName,
    timeout_s: TimeoutS = 120,
) -> Going:
    """Delete a mesh with its services; volumes of their pods stay."""

    def run(reporter: Reporter) -> bool:
        return delete_mesh(asked.kube, name, namespace, reporter, timeout_s=timeout_s)

    deleted = asked.work.begin(run, LINGER_S, at_once=True)
    if deleted is False:
        raise NotFoundError("no such service mesh", place=f"{namespace}/{name}")
    if deleted:
        return Response(status_code=204)  # type: ignore[return-value]
    return _going(asked.response, namespace, name, "deleting")


def _going(response: Response, namespace: str, name: str, state: str) -> Going:
    status = f"/gse/v1/namespaces/{namespace}/meshes/{name}/status"
    response.status_code = 202
    response.headers["Location"] = status
    return Going(name, namespace, state, status)


def _is_mesh(source: Source) -> bool:
    return isinstance(source.data, dict) and "serviceMesh" in source.data


def _check_name(source: Source, root: str, name: str) -> None:
    inner = source.data.get(root) if isinstance(source.data, dict) else None
    told = inner.get("name") if isinstance(inner, dict) else None
    if isinstance(told, str) and told != name:
        raise ProblemError("malformed-request", f"the document is of {told[:80]}, and the path of {name}")


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


def _of_service(kube: Kube, namespace: str, source: Source) -> Source:
    wanted = validate(source, FromService)
    service = running_service(kube, wanted.from_service, namespace)
    return parse_yaml(json.dumps(template_of_service(service, wanted.name), indent=1), "template")
