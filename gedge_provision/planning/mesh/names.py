"""Names and ports of a mesh's parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gedge_provision.models.mesh import LoadedMesh, MeshVersion, Route
from gedge_provision.models.service import Port, Service

__all__ = [
    "PortOf",
    "common_ports",
    "document_name",
    "port_of",
    "ports_of",
    "published_port",
    "tcp_ports",
    "version_name",
]

PortOf = Callable[[Route], int | None]
"""The port on which a route's host is asked; None where it is not known."""


def version_name(host: str, version: str) -> str:
    """Return the name of the service that runs a version."""
    return f"{host}-{version}"


def document_name(mesh: str) -> str:
    """Return the name of the ConfigMap that keeps a mesh's document."""
    return f"{mesh}-mesh"


def ports_of(service: Service) -> tuple[Port, ...]:
    """Return the ports of a service."""
    return tuple(port for container in service.containers for port in container.ports)


def common_ports(versions: Sequence[MeshVersion]) -> tuple[Port, ...]:
    """Return the ports that all versions of a host have, as the first one says them."""
    first, *others = [ports_of(version.service) for version in versions]
    known = [{(port.container_port, port.protocol) for port in ports} for ports in others]
    return tuple(port for port in first if all((port.container_port, port.protocol) in ports for ports in known))


def tcp_ports(mesh: LoadedMesh, host: str) -> tuple[int, ...]:
    """Return the ports of a host that requests can come to."""
    return tuple(port.container_port for port in common_ports(mesh.of(host)) if port.protocol == "TCP")


def port_of(mesh: LoadedMesh) -> PortOf:
    """Return how a route's port is found: the one that it names, else its host's only one."""

    def found(route: Route) -> int | None:
        if route.destination.port is not None:
            return route.destination.port
        ports = tcp_ports(mesh, route.destination.host)
        return ports[0] if len(ports) == 1 else None

    return found


def published_port(port: Port, ports: Sequence[Port]) -> int | None:
    """Return under which number a port of a host with externalAccess is reachable from outside, None where it is not.

    Where none of the host's ports has an externalPort, each is published under its own number.
    """
    if any(one.external_port is not None for one in ports):
        return port.external_port
    return port.container_port
