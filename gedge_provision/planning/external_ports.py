"""External ports: on which addresses a service is published, and who else has the port already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from gedge_provision.models.cluster import NodeState, ServiceState
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.service import Service
from gedge_provision.planning.manifests import INVENTORY_LABEL, MANAGED, NODE_ADDRESS_CLASS

__all__ = ["check_external_ports", "check_published", "node_addresses", "service_urls"]


def node_addresses(nodes: Iterable[NodeState]) -> tuple[str, ...]:
    """Return the addresses of the ready nodes: where external ports are published."""
    return tuple(sorted({address for node in nodes if node.ready for address in node.internal_ips}))


def service_urls(published: Iterable[ServiceState]) -> tuple[str, ...]:
    """Return how to reach the external ports, by http:// for TCP and udp:// for UDP."""
    return tuple(
        f"{'http' if port.protocol == 'TCP' else 'udp'}://{address}:{port.port}"
        for service in published
        for port in service.spec.ports
        for address in service.ingress_ips
    )


def check_external_ports(
    service: Service, namespace: str, services: Iterable[ServiceState], addresses: Sequence[str]
) -> None:
    """Make sure that no other service has one of the external ports on a node.

    Raises:
        GedgeError: names the port and who has it.
    """
    wanted = {
        (port.external_port, port.protocol)
        for container in service.containers
        for port in container.ports
        if port.external_port is not None
    }
    own = {**MANAGED, INVENTORY_LABEL: service.name}
    check_published(service.name, wanted, own, namespace, services, addresses)


def check_published(  # noqa: PLR0913, PLR0917 - who wants what, and who has it
    name: str,
    wanted: AbstractSet[tuple[int, str]],
    own: Mapping[str, str],
    namespace: str,
    services: Iterable[ServiceState],
    addresses: Sequence[str],
) -> None:
    """Make sure that nobody else publishes one of these ports on a node.

    Args:
        name: who wants them.
        wanted: number and protocol of each.
        own: labels of Services in the namespace that may have them: they are its own.
        namespace: where it lives.
        services: the Services of the cluster.
        addresses: those of the nodes.

    Raises:
        GedgeError: names the port and who has it.
    """
    for other in services:
        labels = other.metadata.labels
        if labels.items() >= own.items() and other.metadata.namespace == namespace:
            continue
        taken = {(port.node_port, port.protocol) for port in other.spec.ports}
        ours = other.spec.load_balancer_class == NODE_ADDRESS_CLASS  # its addresses may not be filled in yet
        if ours or set(other.ingress_ips + other.spec.external_ips) & set(addresses):
            taken |= {(port.port, port.protocol) for port in other.spec.ports}
        clash = sorted(wanted & taken)
        if clash:
            number, protocol = clash[0]
            owner = labels.get(INVENTORY_LABEL, other.metadata.name)
            raise GedgeError(
                f"external port {number}/{protocol} is published by service {owner}"
                f" in namespace {other.metadata.namespace} already; nothing was created",
                place=name,
                remedy="choose another externalPort, or delete that service first",
            )
