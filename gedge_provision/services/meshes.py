"""Bringing a service mesh onto a cluster and off it again: its services first, then what leads requests to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gedge_provision.adapters.kube import ConflictError, Kube, NotFoundError
from gedge_provision.models.changes import Change
from gedge_provision.models.cluster import (
    CONFIG_MAP,
    CONTROLLER_KINDS,
    GATEWAY,
    GATEWAY_CLASS,
    HTTP_ROUTE,
    MESH_KINDS,
    NODE,
    SERVICE,
    Manifest,
    NodeState,
    ServiceState,
)
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.mesh import LoadedMesh
from gedge_provision.models.progress import SILENT, Reporter, step
from gedge_provision.models.service import Service
from gedge_provision.planning.external_ports import check_published, node_addresses, service_urls
from gedge_provision.planning.manifests import INVENTORY_LABEL, MANAGED, comparable, ingress_status
from gedge_provision.planning.mesh import MESH_LABEL, mesh_objects, service_of
from gedge_provision.services.mesh_parts import belongings, delete_objects, found, labelled, service_names
from gedge_provision.services.rollout import Applied, apply_services, delete_service

__all__ = ["MeshApplied", "apply_mesh", "delete_mesh"]

_GATEWAY_KINDS = (GATEWAY.name, HTTP_ROUTE.name)


@dataclass(frozen=True)
class MeshApplied:
    """What an apply of a mesh did, or with a dry run would do.

    Attributes:
        name: the mesh.
        namespace: where its objects live.
        changes: of its services, and of what leads requests to them.
        urls: where it is reachable from outside.
        left_out: objects that the cluster does not know: HTTPRoutes without the Gateway API.
    """

    name: str
    namespace: str
    changes: tuple[Change, ...]
    urls: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything differs from before."""
        return any(change.action != "unchanged" for change in self.changes)


@dataclass(frozen=True)
class _Plan:
    """What is applied beside the services, and which services and objects go."""

    services: tuple[Service, ...]
    objects: tuple[Manifest, ...]
    changes: tuple[Change, ...]
    addresses: tuple[str, ...]
    leaving: tuple[str, ...]
    left_out: tuple[str, ...]
    take_over: bool


def apply_mesh(  # noqa: PLR0913 - what, where and how long
    kube: Kube,
    mesh: LoadedMesh,
    namespace: str = "default",
    reporter: Reporter = SILENT,
    *,
    timeout_s: float = 120,
    dry_run: bool = False,
    take_over: bool = False,
) -> MeshApplied:
    """Make the cluster run the services of a mesh, and lead requests to them as its document says.

    Everything that can be refused is refused before the first object changes. Versions that left the document are
    deleted once the others are ready and no route names them any more. An apply that was interrupted is continued by
    the next one.

    Args:
        kube: the cluster.
        mesh: the mesh.
        namespace: where its objects live.
        reporter: receives the progress.
        timeout_s: seconds without any headway after which a service has failed.
        dry_run: stop after the checks.
        take_over: overwrite what other field managers own.

    Raises:
        NotFittingError: no node can hold a pod of a version.
        ConflictError: somebody else owns what this would change.
        GedgeError: an external port is taken, the cluster lacks what gatewayClass asks for, or a service does not get
            ready: then requests are led as before.
    """
    with step(reporter, f"check mesh {mesh.name} against the cluster"):
        plan = _plan(kube, mesh, namespace, take_over=take_over)
        planned = apply_services(kube, plan.services, namespace, dry_run=True, take_over=take_over)
    if plan.left_out:
        reporter.note(
            f"left out, since the cluster does not know the Gateway API: HTTPRoute {', '.join(plan.left_out)};"
            " nothing routes by URI, and requests are spread over all versions (docs/service-mesh.md)"
        )
    changes = (*(change for one in planned for change in one.changes), *plan.changes)
    if dry_run:
        return MeshApplied(mesh.name, namespace, changes, left_out=plan.left_out)
    # The document comes first, so that a mesh whose apply was interrupted is known and can be deleted.
    document, *others = plan.objects
    kube.apply(document, take_over=take_over)
    applied = apply_services(kube, plan.services, namespace, reporter, timeout_s=timeout_s, take_over=take_over)
    _refuse_failed(mesh.name, applied)
    _lead(kube, mesh.name, namespace, plan, others, reporter)
    for name in plan.leaving:
        delete_service(kube, name, namespace, reporter, timeout_s=timeout_s)
    published = [ServiceState.model_validate(item) for item in found(kube, mesh.name, namespace, SERVICE.name)]
    return MeshApplied(mesh.name, namespace, changes, service_urls(published), plan.left_out)


def delete_mesh(
    kube: Kube, name: str, namespace: str = "default", reporter: Reporter = SILENT, *, timeout_s: float = 120
) -> bool:
    """Delete a mesh with its services, and wait until nothing of it is left but volumes; return whether there was any.

    Raises:
        GedgeError: something is still there after `timeout_s` seconds.
    """
    parts = belongings(kube, name, namespace)
    services = service_names(parts)
    own = [item for item in parts if INVENTORY_LABEL not in item["metadata"]["labels"]]
    documents = [item for item in own if item["kind"] == CONFIG_MAP.name]
    with step(reporter, f"delete what leads to the services of mesh {name}"):
        delete_objects(kube, namespace, [item for item in own if item["kind"] != CONFIG_MAP.name], timeout_s)
    for service in services:
        delete_service(kube, service, namespace, reporter, timeout_s=timeout_s)
    # The document goes last: a deletion that was interrupted can be done again.
    delete_objects(kube, namespace, documents, timeout_s)
    return bool(parts)


def _plan(kube: Kube, mesh: LoadedMesh, namespace: str, *, take_over: bool) -> _Plan:
    """Let the API server compute every change of what is no service, without storing it."""
    services = tuple(service_of(mesh, version) for version in mesh.versions)
    _check_services(kube, mesh.name, services, namespace)
    known = _knows_gateways(kube, mesh)
    rendered = mesh_objects(mesh, namespace)
    objects = tuple(item for item in rendered if known or item["kind"] not in _GATEWAY_KINDS)
    left_out = tuple(item["metadata"]["name"] for item in rendered if item not in objects)
    addresses = _addresses(kube, mesh, namespace, objects)
    changes = [_change(kube, mesh.name, manifest, addresses, take_over=take_over) for manifest in objects]
    wanted = {(change.kind, change.name) for change in changes}
    staying = {service.name for service in services}
    gone = [
        item
        for item in belongings(kube, mesh.name, namespace)
        if (item["kind"], item["metadata"]["name"]) not in wanted
        and item["metadata"]["labels"].get(INVENTORY_LABEL) not in staying
    ]
    changes += [Change(item["kind"], item["metadata"]["name"], "deleted") for item in gone]
    return _Plan(services, objects, tuple(changes), addresses, service_names(gone), left_out, take_over)


def _check_services(kube: Kube, mesh: str, services: Sequence[Service], namespace: str) -> None:
    """Make sure that no service of these names is there that does not belong to the mesh."""
    names = {service.name for service in services}
    for kind in CONTROLLER_KINDS:
        for item in labelled(kube, kind, namespace, {}):
            labels = item["metadata"]["labels"]
            name, other = labels.get(INVENTORY_LABEL), labels.get(MESH_LABEL)
            if name in names and other != mesh:
                whose = f"it is part of mesh {other}" if other else "it is not part of a mesh"
                raise ConflictError(
                    f"a service of that name exists, and {whose}; nothing was changed",
                    place=f"{namespace}/{name}",
                    remedy="take another name or version, or delete that service first",
                )


def _refuse_failed(mesh: str, applied: Sequence[Applied]) -> None:
    """Make sure that every service is ready.

    Raises:
        GedgeError: what is wrong with the first that is not, and which others are not.
    """
    failed = [one for one in applied if one.problem]
    if not failed:
        return
    first, *others = failed
    more = f"\nnot ready either: {', '.join(one.name for one in others)}" if others else ""
    raise GedgeError(
        f"{first.problem}{more}\nrequests to the services of mesh {mesh} are led as before",
        place=f"{first.namespace}/{first.name}",
        remedy=first.remedy,
    )


def _knows_gateways(kube: Kube, mesh: LoadedMesh) -> bool:
    """Tell whether the cluster knows the Gateway API.

    Raises:
        GedgeError: it does not have what the document asks for.
    """
    wanted = mesh.document.gateway_class
    try:
        classes = {item["metadata"]["name"] for item in kube.find(GATEWAY_CLASS)}
    except NotFoundError:
        if wanted is None:
            return False
        problem = "the cluster does not know the Gateway API"
    else:
        if wanted is None or wanted in classes:
            return True
        problem = f"the cluster has {', '.join(sorted(classes)) or 'no GatewayClass'}"
    raise GedgeError(
        f"gatewayClass {wanted} is asked for, and {problem}; nothing was created",
        place=mesh.name,
        remedy="install the data plane that has this class, or take gatewayClass out: the service then is reachable on"
        " the address of every node, and requests are spread over all versions",
    )


def _addresses(kube: Kube, mesh: LoadedMesh, namespace: str, objects: Sequence[Manifest]) -> tuple[str, ...]:
    """Return the addresses to publish on, none where nothing is published.

    Raises:
        GedgeError: somebody else publishes one of the ports.
    """
    wanted = {
        (port["port"], port["protocol"]) for item in objects if _is_published(item) for port in item["spec"]["ports"]
    }
    if not wanted:
        return ()
    addresses = node_addresses(NodeState.model_validate(item) for item in kube.find(NODE))
    published = [ServiceState.model_validate(item) for item in kube.find(SERVICE)]
    check_published(mesh.name, wanted, {**MANAGED, MESH_LABEL: mesh.name}, namespace, published, addresses)
    return addresses


def _is_published(manifest: Manifest) -> bool:
    return manifest["kind"] == SERVICE.name and "loadBalancerClass" in manifest["spec"]


def _change(kube: Kube, mesh: str, manifest: Manifest, addresses: tuple[str, ...], *, take_over: bool) -> Change:
    kind, name, namespace = manifest["kind"], manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    try:
        before = kube.get(MESH_KINDS[kind], namespace, name)
    except NotFoundError:
        before = None
    labels = {} if before is None else before["metadata"].get("labels", {})
    if before is not None and not labels.items() >= {**MANAGED, MESH_LABEL: mesh}.items():
        other = labels.get(MESH_LABEL) or labels.get(INVENTORY_LABEL)
        raise ConflictError(
            f"a {kind} of that name exists, and it is not part of this mesh{f' but of {other}' if other else ''};"
            " nothing was changed",
            place=f"{namespace}/{name}",
            remedy="take another name, or delete that object first",
        )
    after = kube.apply(manifest, dry_run=True, take_over=take_over)
    if before is None:
        return Change(kind, name, "created")
    same = comparable(before) == comparable(after)
    if _is_published(manifest):
        same = same and ServiceState.model_validate(before).ingress_ips == addresses
    return Change(kind, name, "unchanged" if same else "changed")


def _lead(  # noqa: PLR0913, PLR0917 - what, where, and who is told
    kube: Kube, name: str, namespace: str, plan: _Plan, objects: Sequence[Manifest], reporter: Reporter
) -> None:
    """Apply what leads requests to the services, and delete what of it left the document."""
    title = f"lead requests to the services of {name}"
    reporter.start(title)
    try:
        for manifest in objects:
            kube.apply(manifest, take_over=plan.take_over)
            if _is_published(manifest):
                status = ingress_status(manifest["metadata"]["name"], namespace, plan.addresses)
                kube.apply(status, subresource="status", take_over=plan.take_over)
        for change in plan.changes:
            if change.action == "deleted" and change.kind in MESH_KINDS:
                kube.delete(MESH_KINDS[change.kind], namespace, change.name)
    except BaseException:
        reporter.finish(title, "failed")
        raise
    told = [f"{change.kind} {change.name} {change.action}" for change in plan.changes if change.action != "unchanged"]
    reporter.finish(title, "done" if told else "unchanged", ", ".join(told))
