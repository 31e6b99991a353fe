"""From a mesh to Kubernetes objects: services of its versions, a Service over all of them, HTTPRoutes, a Gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from gedge_provision.models.cluster import CONFIG_MAP, GATEWAY, HTTP_ROUTE, SERVICE, Kind, Manifest
from gedge_provision.models.mesh import LoadedMesh, Mesh, MeshVersion
from gedge_provision.models.service import Container, Port, Service
from gedge_provision.planning.manifests import MANAGED, NODE_ADDRESS_CLASS, external_name, render
from gedge_provision.planning.mesh.names import (
    common_ports,
    document_name,
    port_of,
    published_port,
    tcp_ports,
    version_name,
)
from gedge_provision.planning.mesh.rules import Rule, host_rules, routed

__all__ = [
    "HOST_LABEL",
    "MESH_DOCUMENT",
    "MESH_LABEL",
    "MESH_LISTED",
    "mesh_objects",
    "render_mesh",
    "service_of",
]

MESH_LABEL = "gedge.dev/mesh"
"""On every object and pod of a mesh, with the mesh's name."""

HOST_LABEL = "gedge.dev/mesh-host"
"""On pods, with the name by which others ask for them: what the Service over all versions selects."""

MESH_LISTED = {**MANAGED, "app.kubernetes.io/component": "service-mesh"}
"""On the ConfigMaps that keep documents of meshes."""

MESH_DOCUMENT = "serviceMesh"
"""The key in such a ConfigMap."""

_HTTP_PATHS = {"exact": "Exact", "prefix": "PathPrefix", "regex": "RegularExpression"}
# What a service takes over from its template or changes of it is in its Deployment, and may hold values of variables.
_KEPT_OF_A_SERVICE = {"name", "template", "labels", "externalAccess"}


def service_of(mesh: LoadedMesh, version: MeshVersion) -> Service:
    """Return the service that runs a version, as it is applied: in the mesh, and without external ports of its own.

    It depends on all versions of the hosts that its document names in dependsOn.
    """
    containers = tuple(_inside(container) for container in version.service.containers)
    labels = {**version.service.labels, MESH_LABEL: mesh.name, HOST_LABEL: version.host}
    wanted = (
        (name,) if name not in mesh.document.hosts else tuple(one.service.name for one in mesh.of(name))
        for name in version.service.depends_on
    )
    depends_on = tuple(name for names in wanted for name in names)
    return version.service.model_copy(update={"labels": labels, "containers": containers, "depends_on": depends_on})


def render_mesh(mesh: LoadedMesh, namespace: str) -> tuple[Manifest, ...]:
    """Return the objects of a mesh, its services first."""
    services = [render(service_of(mesh, version), namespace) for version in mesh.versions]
    return (*(manifest for manifests in services for manifest in manifests), *mesh_objects(mesh, namespace))


def mesh_objects(mesh: LoadedMesh, namespace: str) -> tuple[Manifest, ...]:
    """Return the objects of a mesh beside its services, in the order in which they are applied.

    Requests come to the Service HOST, from outside to HOST-external, and are spread over all versions. A data plane
    that knows the Gateway API takes over the first by HTTPRoutes whose parent is that Service (its initiative GAMMA),
    and those from outside by a Gateway. Subsets are the Services that `render` makes for each version.
    """
    objects = [_document(mesh, namespace)]
    for host in mesh.document.hosts:
        ports = common_ports(mesh.of(host))
        inside = [_service_port(port, port.container_port) for port in ports]
        objects.append(_service(mesh, namespace, host, host, {"type": "ClusterIP", "ports": inside}))
        published = [(port, number) for port, number in _published(mesh, host) if mesh.document.gateway_class is None]
        if published:
            spec = {
                "type": "LoadBalancer",
                "loadBalancerClass": NODE_ADDRESS_CLASS,
                "allocateLoadBalancerNodePorts": False,
                "ports": [_service_port(port, number) for port, number in published],
            }
            objects.append(_service(mesh, namespace, host, external_name(host), spec))
    if mesh.document.gateway_class is not None:
        objects.append(_gateway(mesh, namespace, mesh.document.gateway_class))
    return (*objects, *_routes(mesh, namespace))


def _inside(container: Container) -> Container:
    ports = tuple(port.model_copy(update={"external_port": None}) for port in container.ports)
    return container.model_copy(update={"ports": ports})


def _object(kind: Kind, mesh: str, namespace: str, name: str, labels: dict[str, str]) -> Manifest:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": name, "namespace": namespace, "labels": {**labels, **MANAGED, MESH_LABEL: mesh}},
    }


def _document(mesh: LoadedMesh, namespace: str) -> Manifest:
    data = _kept(mesh.document)
    return {
        **_object(CONFIG_MAP, mesh.name, namespace, document_name(mesh.name), MESH_LISTED),
        "data": {MESH_DOCUMENT: json.dumps(data)},
    }


def _kept(mesh: Mesh) -> Manifest:
    """Return what of a document is kept in the cluster: nothing that could be secret."""
    data = mesh.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    data["services"] = [{key: one[key] for key in one if key in _KEPT_OF_A_SERVICE} for one in data["services"]]
    return data


def _service(mesh: LoadedMesh, namespace: str, host: str, name: str, spec: Manifest) -> Manifest:
    labels = {"app.kubernetes.io/name": host, HOST_LABEL: host}
    selector = {**MANAGED, MESH_LABEL: mesh.name, HOST_LABEL: host}
    return {**_object(SERVICE, mesh.name, namespace, name, labels), "spec": {**spec, "selector": selector}}


def _service_port(port: Port, number: int) -> Manifest:
    return {
        "name": f"{port.protocol.lower()}-{number}",
        "port": number,
        "protocol": port.protocol,
        "targetPort": port.container_port,
    }


def _published(mesh: LoadedMesh, host: str) -> Iterator[tuple[Port, int]]:
    """Yield the ports of a host that are reachable from outside, and their numbers there."""
    versions = mesh.of(host)
    if not versions[0].external_access:
        return
    ports = common_ports(versions)
    for port in ports:
        number = published_port(port, ports)
        if number is not None:
            yield port, number


def _gateway(mesh: LoadedMesh, namespace: str, gateway_class: str) -> Manifest:
    listeners = [
        {
            "name": _listener(number),
            "port": number,
            "protocol": "HTTP",
            "allowedRoutes": {"namespaces": {"from": "Same"}},
        }
        for host in mesh.document.hosts
        for port, number in _published(mesh, host)
        if port.protocol == "TCP"
    ]
    spec = {"gatewayClassName": gateway_class, "listeners": listeners}
    return {**_object(GATEWAY, mesh.name, namespace, mesh.name, {}), "spec": spec}


def _listener(number: int) -> str:
    return f"http-{number}"


def _routes(mesh: LoadedMesh, namespace: str) -> Iterator[Manifest]:
    """Yield a HTTPRoute for each port of a host that has routes, and one for each port of the Gateway."""
    rules = {key: host_rules(asked) for key, asked in routed(mesh.document, port_of(mesh)).items()}
    for host in mesh.document.hosts:
        for port in tcp_ports(mesh, host):
            if (host, port) in rules:
                parent = {"group": "", "kind": SERVICE.name, "name": host, "port": port}
                yield _route(mesh, namespace, f"{host}-{port}", parent, _rules(rules[host, port], host, port))
    if mesh.document.gateway_class is None:
        return
    for host in mesh.document.hosts:
        for published, number in _published(mesh, host):
            if published.protocol != "TCP":
                continue
            port = published.container_port
            parent = {
                "group": GATEWAY.api_version.partition("/")[0],
                "kind": GATEWAY.name,
                "name": mesh.name,
                "sectionName": _listener(number),
            }
            everything = [{"backendRefs": [_backend(host, port)]}]
            found = _rules(rules[host, port], host, port) if (host, port) in rules else everything
            yield _route(mesh, namespace, f"{host}-{port}-external", parent, found)


def _route(mesh: LoadedMesh, namespace: str, name: str, parent: Manifest, rules: Sequence[Manifest]) -> Manifest:
    spec = {"parentRefs": [parent], "rules": list(rules)}
    return {**_object(HTTP_ROUTE, mesh.name, namespace, name, {}), "spec": spec}


def _rules(rules: Sequence[Rule], host: str, port: int) -> list[Manifest]:
    return [
        {
            "matches": [{"path": {"type": _HTTP_PATHS[kind], "value": value}} for kind, value in rule.matches],
            "backendRefs": [
                _backend(version_name(host, one.subset), port)
                | ({"weight": one.weight} if len(rule.destinations) > 1 else {})
                for one in rule.destinations
            ],
        }
        for rule in rules
    ]


def _backend(name: str, port: int) -> Manifest:
    return {"group": "", "kind": SERVICE.name, "name": name, "port": port}
