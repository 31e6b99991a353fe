"""From a service to Kubernetes objects: a Deployment, a Service inside the cluster, one on the nodes' addresses."""

from __future__ import annotations

from collections.abc import Iterable

from gedge_provision.models.cluster import DEPLOYMENT, SERVICE, Manifest
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.service import Container, Port, Service
from gedge_provision.planning.acceleration import ContainerResources, plan_resources

__all__ = [
    "INVENTORY_LABEL",
    "MANAGED",
    "NODE_ADDRESS_CLASS",
    "comparable",
    "external_name",
    "ingress_status",
    "render",
]

INVENTORY_LABEL = "gedge.dev/service"
"""On every object and pod of a service, with the service's name: what belongs to it, found without a list."""

MANAGED = {"app.kubernetes.io/managed-by": "gedge"}
"""On every object that `gedge` applies."""

NODE_ADDRESS_CLASS = "gedge.dev/node-address"
"""The class of load balancer that publishes on the nodes' own addresses; `gedge` fills in the addresses itself."""

_CONTROLLER_ANNOTATIONS = "deployment.kubernetes.io/"


def external_name(service: str) -> str:
    """Return the name of the Kubernetes Service that publishes a service's external ports."""
    return f"{service}-external"


def render(service: Service, namespace: str) -> tuple[Manifest, ...]:
    """Return the objects of a service, in the order in which they are applied."""
    objects = [_deployment(service, namespace)]
    ports = [port for container in service.containers for port in container.ports]
    if ports:
        inside = [_service_port(port, port.container_port) for port in ports]
        objects.append(_service(service, namespace, service.name, {"type": "ClusterIP", "ports": inside}))
    published = [_service_port(port, port.external_port) for port in ports if port.external_port is not None]
    if published:
        spec = {
            "type": "LoadBalancer",
            "loadBalancerClass": NODE_ADDRESS_CLASS,
            "allocateLoadBalancerNodePorts": False,
            "ports": published,
        }
        objects.append(_service(service, namespace, external_name(service.name), spec))
    return tuple(objects)


def ingress_status(name: str, namespace: str, addresses: Iterable[str]) -> Manifest:
    """Return the status that makes kube-proxy answer for a Service on these addresses.

    Source: KEP-1860 (ipMode VIP: packets to the address are taken over on the node itself).
    """
    return {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.name,
        "metadata": {"name": name, "namespace": namespace},
        "status": {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"} for address in addresses]}},
    }


def comparable(manifest: Manifest) -> Manifest:
    """Return what somebody decided about an object, without what the API server and controllers write into it."""
    metadata = manifest["metadata"]
    annotations = {
        key: value
        for key, value in metadata.get("annotations", {}).items()
        if not key.startswith(_CONTROLLER_ANNOTATIONS)
    }
    return {
        "labels": metadata.get("labels", {}),
        "annotations": annotations,
        "spec": manifest.get("spec", {}),
        "ingress": manifest.get("status", {}).get("loadBalancer", {}),
    }


def _labels(service: Service) -> dict[str, str]:
    return {**service.labels, "app.kubernetes.io/name": service.name, **MANAGED, INVENTORY_LABEL: service.name}


def _selector(service: Service) -> dict[str, str]:
    return {INVENTORY_LABEL: service.name}


def _service(service: Service, namespace: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.name,
        "metadata": {"name": name, "namespace": namespace, "labels": _labels(service)},
        "spec": {**spec, "selector": _selector(service)},
    }


def _service_port(port: Port, number: int) -> Manifest:
    return {
        "name": f"{port.protocol.lower()}-{number}",
        "port": number,
        "protocol": port.protocol,
        "targetPort": port.container_port,
    }


def _deployment(service: Service, namespace: str) -> Manifest:
    resources = plan_resources(service)
    pod: Manifest = {
        # A service has no business with the API server, and needs no more rights than its image brings.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            _container(name, container, planned)
            for name, container, planned in zip(service.container_names(), service.containers, resources, strict=True)
        ],
    }
    if service.node_selector:
        pod["nodeSelector"] = dict(service.node_selector)
    return {
        "apiVersion": DEPLOYMENT.api_version,
        "kind": DEPLOYMENT.name,
        "metadata": {"name": service.name, "namespace": namespace, "labels": _labels(service)},
        "spec": {
            "replicas": service.replicas,
            "selector": {"matchLabels": _selector(service)},
            "strategy": _strategy(service),
            "template": {"metadata": {"labels": _labels(service)}, "spec": pod},
        },
    }


def _strategy(service: Service) -> Manifest:
    accelerations = [container.resources.acceleration for container in service.containers]
    exclusive = any(entry.topology_aware or entry.compute or entry.communication for entry in accelerations)
    # A new pod beside the old one would wait for ever for the CPUs or devices that the old one holds.
    surge, unavailable = (0, 1) if exclusive else (1, 0)
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def _container(name: str, container: Container, resources: ContainerResources) -> Manifest:
    manifest: Manifest = {
        "name": name,
        "image": container.image,
        "securityContext": {"allowPrivilegeEscalation": False},
    }
    if container.command:
        manifest["command"] = list(container.command)
    if container.args:
        manifest["args"] = list(container.args)
    if container.env:
        manifest["env"] = [{"name": variable.name, "value": variable.value} for variable in container.env]
    if container.ports:
        manifest["ports"] = [
            {"containerPort": port.container_port, "protocol": port.protocol} for port in container.ports
        ]
    listening = next((port for port in container.ports if port.protocol == "TCP"), None)
    if listening is not None:
        # Ready means that the port that the document promises really accepts connections.
        manifest["readinessProbe"] = {"tcpSocket": {"port": listening.container_port}, "periodSeconds": 2}
    amounts = {"requests": _amounts(resources.requests), "limits": _amounts(resources.limits)}
    if any(amounts.values()):
        manifest["resources"] = {part: values for part, values in amounts.items() if values}
    return manifest


def _amounts(resources: dict[str, Quantity]) -> dict[str, str]:
    return {name: str(amount) for name, amount in resources.items()}
