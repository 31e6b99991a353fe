"""What must hold across the fields of a mesh document, and between it and the templates of its services."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.mesh import VERSION, LoadedMesh, Mesh, MeshFile, MeshService
from gedge_provision.models.service import Port
from gedge_provision.planning.manifests import external_name, headless_name
from gedge_provision.planning.mesh.names import (
    common_ports,
    port_of,
    ports_of,
    published_port,
    tcp_ports,
    version_name,
)
from gedge_provision.planning.mesh.rules import Asked, check_routes, routed, takes_all
from gedge_provision.planning.service_checks import NODE_PORTS

__all__ = ["check_loaded", "check_mesh", "mesh_notes"]

_SERVICES: Path = ("serviceMesh", "services")
_ROUTES: Path = ("serviceMesh", "serviceRoutes")
_LONGEST = 40  # name of a service
_PART_OF_A_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def check_mesh(document: MeshFile) -> Iterator[Problem]:
    """Yield everything that is wrong with a mesh before its templates are looked at."""
    mesh = document.service_mesh
    yield from _versions(mesh)
    yield from _object_names(mesh)
    yield from _external(mesh)
    yield from _destinations(mesh)
    yield from check_routes(mesh, lambda route: route.destination.port)


def check_loaded(mesh: LoadedMesh) -> Iterator[Problem]:
    """Yield what is wrong between a mesh and the templates of its services."""
    problems = [*_ports(mesh), *_route_ports(mesh)]
    yield from problems
    if not problems:  # two ways to say the same port may have met
        yield from check_routes(mesh.document, port_of(mesh))


def mesh_notes(mesh: LoadedMesh) -> list[str]:
    """Return what a mesh does that its document does not say."""
    document = mesh.document
    notes = []
    asked_of = routed(document, port_of(mesh))
    for (host, port), asked in asked_of.items():
        where = f"{host}:{port}"
        if not takes_all(asked):
            notes.append(f"requests to {where} that fit none of its routes are refused where a data plane routes")
        notes += _expression_notes(where, asked)
    for host in document.hosts:
        ports = common_ports(mesh.of(host))
        named = {
            one.route.destination.subset for (other, _), asked in asked_of.items() if other == host for one in asked
        }
        idle = [one.version for one in mesh.of(host) if named and one.version not in named]
        if idle:
            notes.append(f"no route goes to {host} {', '.join(idle)}: where a data plane routes, nobody asks it")
        if not mesh.of(host)[0].external_access:
            hidden = [str(port.external_port) for port in ports if port.external_port is not None]
            if hidden:
                notes.append(
                    f"externalPort {', '.join(hidden)} of {host} is not published: it has no externalAccess in the mesh"
                )
        elif document.gateway_class is not None:
            notes += [
                f"{host}:{port.container_port}/UDP is not reachable from outside: the Gateway takes HTTP only"
                for port in ports
                if port.protocol == "UDP" and published_port(port, ports) is not None
            ]
    return notes


def _expression_notes(where: str, asked: Sequence[Asked]) -> list[str]:
    expressions = [one for one in asked if one.kind == "regex"]
    if not expressions or len(asked) == 1:
        return []
    said = f"which route of {where} counts where {expressions[0]} and another one both fit is the data plane's decision"
    return [f"{said}: the Gateway API does not say"]


def _versions(mesh: Mesh) -> Iterator[Problem]:
    seen: dict[tuple[str, str], int] = {}
    for index, service in enumerate(mesh.services):
        path = (*_SERVICES, index)
        if not service.version:
            same = [other for other in mesh.services if other.name == service.name]
            why = f", and {len(same)} services have that name" if len(same) > 1 else ""
            yield Problem(
                (*path, "labels", VERSION),
                f"{service.name} has no version{why}",
                "add labels: {version: v1}; routes name it as their subset",
            )
            continue
        label = (*path, "labels", VERSION)
        if not _PART_OF_A_NAME.fullmatch(service.version):
            yield Problem(
                label,
                f"{service.version!r} cannot be part of the name {version_name(service.name, service.version)}",
                "use lower-case letters, digits and '-', like v1 or v1-2",
            )
        elif len(version_name(service.name, service.version)) > _LONGEST:
            yield Problem(
                label,
                f"{version_name(service.name, service.version)}, the name of this version, is too long",
                f"take a shorter name or version: both have at most {_LONGEST - 1} characters together",
            )
        key = service.name, service.version
        if key in seen:
            yield Problem(
                label,
                f"{service.version} of {service.name} is services[{seen[key]}] too",
                "give every service of one name its own version",
            )
        seen.setdefault(key, index)


def _object_names(mesh: Mesh) -> Iterator[Problem]:
    """Yield names of Services that two parts of the mesh would have."""
    taken: dict[str, str] = {}
    for host in mesh.hosts:
        taken[host] = f"service {host}"
    for host in mesh.hosts:
        taken.setdefault(external_name(host), f"what is published of service {host}")
    seen: set[tuple[str, str]] = set()
    for index, service in enumerate(mesh.services):
        if not service.version or (service.name, service.version) in seen:
            continue
        seen.add((service.name, service.version))
        name = version_name(service.name, service.version)
        for one in (name, headless_name(name)):
            if one in taken:
                yield Problem(
                    (*_SERVICES, index, "labels", VERSION),
                    f"{service.version} of {service.name} would have the name {one}, which is that of {taken[one]}",
                    "take another name or version",
                )
                break
            taken[one] = f"{service.version} of {service.name}"


def _external(mesh: Mesh) -> Iterator[Problem]:
    first: dict[str, tuple[int, MeshService]] = {}
    for index, service in enumerate(mesh.services):
        former = first.setdefault(service.name, (index, service))
        if former[1].external_access != service.external_access:
            yield Problem(
                (*_SERVICES, index, "externalAccess"),
                f"it is {_word(service.external_access)} here and {_word(former[1].external_access)} in"
                f" services[{former[0]}], and both are {service.name}",
                f"all versions of {service.name} are reached together: write the same for each",
            )
    external = [host for host in mesh.hosts if first[host][1].external_access]
    for host in external[1:]:
        yield Problem(
            (*_SERVICES, first[host][0], "externalAccess"),
            f"{external[0]} has externalAccess already",
            "one service of a mesh takes requests from outside: leave it to one, or make two meshes",
        )
    if mesh.gateway_class is not None and not external:
        yield Problem(
            ("serviceMesh", "gatewayClass"),
            "it routes requests from outside, and no service has externalAccess",
            "take it out, or add externalAccess: true to a service",
        )


def _word(value: bool) -> str:
    return "true" if value else "false"


def _destinations(mesh: Mesh) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, route in enumerate(mesh.service_routes):
        if route.name in seen:
            yield Problem(
                (*_ROUTES, index, "name"),
                f"{route.name} is the name of serviceRoutes[{seen[route.name]}] too",
                "give every route its own name",
            )
        seen.setdefault(route.name, index)
        host, subset = route.destination.host, route.destination.subset
        path = (*_ROUTES, index, "destination")
        if host not in mesh.hosts:
            yield Problem((*path, "host"), f"the mesh has no service {host}", _close(host, mesh.hosts))
            continue
        versions = tuple(one.version for one in mesh.services if one.name == host and one.version)
        if versions and subset not in versions:
            yield Problem((*path, "subset"), f"{host} has no version {subset}", _close(subset, versions))


def _close(wrong: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(wrong, known, n=1)
    listed = f"name one of {', '.join(known)}"
    return f"did you mean {close[0]!r}? ({listed})" if close else listed


def _ports(mesh: LoadedMesh) -> Iterator[Problem]:
    first = {version.host: version for version in reversed(mesh.versions)}
    for index, version in enumerate(mesh.versions):
        path = (*_SERVICES, index, "template")
        if not any(port.protocol == "TCP" for port in ports_of(version.service)):
            yield Problem(
                path,
                f"{version.host} {version.version} has no TCP port, and nobody could ask it",
                "add ports: [{containerPort: NUMBER}] to a container of its template, or here",
            )
            return
    for index, version in enumerate(mesh.versions):
        former = first[version.host]
        path = (*_SERVICES, index, "template")
        if former is version:
            if not tcp_ports(mesh, version.host):
                yield Problem(
                    path,
                    f"the versions of {version.host} have no TCP port in common:"
                    f" {'; '.join(_listed(one.version, ports_of(one.service)) for one in mesh.of(version.host))}",
                    "let all versions listen on the port on which others ask for the service",
                )
            elif version.external_access:
                yield from _published(mesh, index)
        elif version.external_access:
            yield from _published_alike(path, former.version, ports_of(former.service), ports_of(version.service))


def _published(mesh: LoadedMesh, index: int) -> Iterator[Problem]:
    host = mesh.versions[index].host
    ports = common_ports(mesh.of(host))
    if all(published_port(port, ports) is None for port in ports if port.protocol == "TCP"):
        yield Problem(
            (*_SERVICES, index, "externalAccess"),
            f"no TCP port that all versions of {host} have has an externalPort",
            "add externalPort to a port that all have, or take out those of the others",
        )
    for port in ports:
        number = published_port(port, ports)
        if number is not None and (number, port.protocol) in NODE_PORTS:
            yield Problem(
                (*_SERVICES, index, "externalAccess"),
                f"{number}/{port.protocol} on the nodes belongs to {NODE_PORTS[number, port.protocol]}",
                "add an externalPort with another number",
            )


def _published_alike(path: Path, former: str, theirs: Sequence[Port], ours: Sequence[Port]) -> Iterator[Problem]:
    known = {(port.container_port, port.protocol): port.external_port for port in theirs}
    for port in ours:
        key = port.container_port, port.protocol
        if key in known and known[key] != port.external_port:
            yield Problem(
                path,
                f"externalPort of {port.container_port}/{port.protocol} is {port.external_port or 'unset'} here and"
                f" {known[key] or 'unset'} in {former}",
                "all versions are reached together: write the same for each",
            )


def _route_ports(mesh: LoadedMesh) -> Iterator[Problem]:
    for index, route in enumerate(mesh.document.service_routes):
        host, port = route.destination.host, route.destination.port
        ports = tcp_ports(mesh, host)
        listed = ", ".join(str(one) for one in ports)
        path = (*_ROUTES, index, "destination")
        if port is not None and port not in ports:
            yield Problem((*path, "port"), f"{host} does not listen on {port}/TCP in all versions", f"use {listed}")
        elif port is None and len(ports) > 1:
            yield Problem(
                (*path, "port"), f"{host} has several ports: {listed}", "add port: with the one that is meant"
            )


def _listed(version: str, ports: Sequence[Port]) -> str:
    return f"{version} {', '.join(f'{port.container_port}/{port.protocol}' for port in ports)}"
