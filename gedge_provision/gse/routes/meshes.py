"""Service meshes: versions of services under one name, and what leads requests to them."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Response

from gedge_provision.adapters.kube import NotFoundError
from gedge_provision.gse._callers import Asked, KubeOf
from gedge_provision.gse._inputs import Document, NamespaceName, ServiceName, check_name, document_of
from gedge_provision.gse._openapi import changes, document_body, needs
from gedge_provision.gse._pages import Page, Paging, paged
from gedge_provision.gse._problems import ProblemError
from gedge_provision.gse._rollouts import LINGER_S, Going, Options, TimeoutS
from gedge_provision.gse.routes._permissions import DELETES_MESHES, MESHES, ROLLS_MESHES_OUT
from gedge_provision.models.cluster import Manifest
from gedge_provision.models.mesh import LoadedMesh
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.schemas import DocumentKind
from gedge_provision.services import (
    MeshApplied,
    MeshLine,
    MeshStatus,
    StoredTemplates,
    apply_mesh,
    delete_mesh,
    list_meshes,
    read_mesh,
    read_mesh_document,
    read_mesh_status,
)

__all__ = ["router"]

router = APIRouter(prefix="/gse/v1/namespaces/{namespace}/meshes", tags=["meshes"])


@dataclass(frozen=True)
class MeshDocument:
    """A service mesh as its document says; what its services consist of is theirs to tell."""

    name: str
    namespace: str
    document: Manifest


@router.get("", summary="List service meshes", openapi_extra=needs(*MESHES, "list configmaps"))
def list_namespace_meshes(kube: KubeOf, namespace: NamespaceName, paging: Paging) -> Page[MeshLine]:
    """Return the service meshes of a namespace, by name."""
    return paged(list_meshes(kube, namespace), paging, lambda one: (one.name,))


@router.get(
    "/{name}",
    summary="Show a service mesh's document",
    openapi_extra=needs("get configmaps"),
)
def show_mesh(kube: KubeOf, namespace: NamespaceName, name: ServiceName) -> MeshDocument:
    """Return what of a mesh's document is kept: its services by name and version, and its routes."""
    return MeshDocument(name, namespace, read_mesh_document(kube, namespace, name))


@router.get(
    "/{name}/status",
    summary="Show how a service mesh does",
    openapi_extra=needs(*MESHES, "get configmaps"),
)
def mesh_status(kube: KubeOf, namespace: NamespaceName, name: ServiceName) -> MeshStatus:
    """Return a mesh with its versions, its routes, and who routes by them."""
    return read_mesh_status(kube, namespace, name)


@router.put(
    "/{name}",
    summary="Create or replace a service mesh",
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
    check_name(source, "serviceMesh", name)
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
    ended = asked.begin(run, LINGER_S)
    return ended if ended is not None else _going(asked.response, namespace, name, "rolling out")


@router.delete(
    "/{name}",
    summary="Delete a service mesh",
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

    deleted = asked.begin(run, LINGER_S, at_once=True)
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
