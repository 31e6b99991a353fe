"""From a service to Kubernetes objects: a Deployment or StatefulSet, Services, and what scales it."""

from __future__ import annotations

from collections.abc import Iterable

from gedge_provision.models.cluster import (
    AUTOSCALER,
    DEPLOYMENT,
    RESOURCE_CLAIM_TEMPLATE,
    SERVICE,
    STATEFUL_SET,
    Kind,
    Manifest,
)
from gedge_provision.models.service import Port, Service, Volume
from gedge_provision.planning.acceleration import HUGE_PAGES, plan_resources
from gedge_provision.planning.autoscaler import autoscaler_spec
from gedge_provision.planning.service_pods import claim_name, claim_spec, pod_annotations, pod_spec

__all__ = [
    "INVENTORY_LABEL",
    "MANAGED",
    "NODE_ADDRESS_CLASS",
    "REVISION",
    "comparable",
    "external_name",
    "headless_name",
    "ingress_status",
    "render",
    "traffic",
]

INVENTORY_LABEL = "gedge.dev/service"
"""On every object and pod of a service, with the service's name: what belongs to it, found without a list."""

MANAGED = {"app.kubernetes.io/managed-by": "gedge"}
"""On every object that `gedge` applies."""

NODE_ADDRESS_CLASS = "gedge.dev/node-address"
"""The class of load balancer that publishes on the nodes' own addresses; `gedge` fills in the addresses itself."""

REVISION = "gedge.dev/revision"
"""Annotation of a controller: the number of the revision that it has."""

_WRITTEN_BY_OTHERS = ("deployment.kubernetes.io/", REVISION)


def external_name(service: str) -> str:
    """Return the name of the Kubernetes Service that publishes a service's external ports."""
    return f"{service}-external"


def headless_name(service: str) -> str:
    """Return the name of the Kubernetes Service that gives pods of a StatefulSet names of their own."""
    return f"{service}-headless"


def traffic(name: str) -> dict[str, str]:
    """Return the labels of the pods that a service's traffic goes to: its own, and those of a canary."""
    return {**MANAGED, "app.kubernetes.io/name": name}


def render(service: Service, namespace: str) -> tuple[Manifest, ...]:
    """Return the objects of a service, in the order in which they are applied."""
    objects = [*_device_claims(service, namespace), _controller(service, namespace)]
    ports = [port for container in service.containers for port in container.ports]
    inside = [_service_port(port, port.container_port) for port in ports]
    if any(volume.claim_template is not None for volume in service.volumes):
        spec: Manifest = {"clusterIP": "None"} | ({"ports": inside} if inside else {})
        objects.append(_service(service, namespace, headless_name(service.name), spec))
    if ports:
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
    if service.scaling is not None:
        spec = autoscaler_spec(service.scaling, _controller_kind(service), service.name)
        objects.append(_object(AUTOSCALER, service, namespace, spec))
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
        key: value for key, value in metadata.get("annotations", {}).items() if not key.startswith(_WRITTEN_BY_OTHERS)
    }
    return {
        "labels": metadata.get("labels", {}),
        "annotations": annotations,
        "spec": manifest.get("spec", {}),
        "data": manifest.get("data", {}),
        "ingress": manifest.get("status", {}).get("loadBalancer", {}),
    }


def _labels(service: Service) -> dict[str, str]:
    return {**service.labels, **traffic(service.name), INVENTORY_LABEL: service.name}


def _selector(service: Service) -> dict[str, str]:
    return {INVENTORY_LABEL: service.name}


def _service(service: Service, namespace: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.name,
        "metadata": {"name": name, "namespace": namespace, "labels": _labels(service)},
        "spec": {**spec, "selector": traffic(service.name)},
    }


def _service_port(port: Port, number: int) -> Manifest:
    return {
        "name": f"{port.protocol.lower()}-{number}",
        "port": number,
        "protocol": port.protocol,
        "targetPort": port.container_port,
    }


def _controller(service: Service, namespace: str) -> Manifest:
    """Return the Deployment, or the StatefulSet of a service whose pods have volumes of their own."""
    template: Manifest = {"metadata": {"labels": _labels(service)}, "spec": pod_spec(service)}
    annotations = pod_annotations(service)
    if annotations:
        template["metadata"]["annotations"] = annotations
    claims = [volume for volume in service.volumes if volume.claim_template is not None]
    spec: Manifest = {"selector": {"matchLabels": _selector(service)}}
    if service.scaling is None:  # else the autoscaler sets it
        spec = {"replicas": service.replicas, **spec}
    if claims:
        # Pods of one service do not wait for each other, and a pod that never gets ready does not keep its successor
        # from being made (Kubernetes documentation, "StatefulSets": forced rollback).
        spec |= {"serviceName": headless_name(service.name), "podManagementPolicy": "Parallel"}
    else:
        spec["strategy"] = _strategy(service)
    spec["template"] = template
    if claims:
        spec["volumeClaimTemplates"] = [_claim(volume) for volume in claims]
    return _object(_controller_kind(service), service, namespace, spec)


def _controller_kind(service: Service) -> Kind:
    return STATEFUL_SET if any(volume.claim_template is not None for volume in service.volumes) else DEPLOYMENT


def _object(kind: Kind, service: Service, namespace: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": service.name, "namespace": namespace, "labels": _labels(service)},
        "spec": spec,
    }


def _claim(volume: Volume) -> Manifest:
    assert volume.claim_template is not None  # noqa: S101 - the caller has looked
    spec: Manifest = {
        "accessModes": [volume.claim_template.access_mode],
        "resources": {"requests": {"storage": str(volume.claim_template.size)}},
    }
    if volume.claim_template.storage_class is not None:
        spec["storageClassName"] = volume.claim_template.storage_class
    return {"metadata": {"name": volume.name}, "spec": spec}


def _device_claims(service: Service, namespace: str) -> list[Manifest]:
    """Return a ResourceClaimTemplate for each container that gets devices by claims."""
    return [
        {
            "apiVersion": RESOURCE_CLAIM_TEMPLATE.api_version,
            "kind": RESOURCE_CLAIM_TEMPLATE.name,
            "metadata": {
                "name": claim_name(service, name, planned.claims),
                "namespace": namespace,
                "labels": _labels(service),
            },
            "spec": claim_spec(planned.claims),
        }
        for name, planned in zip(service.container_names(), plan_resources(service), strict=True)
        if planned.claims
    ]


def _strategy(service: Service) -> Manifest:
    # A new pod beside the old one would wait for ever for the CPUs, devices or volume that the old one holds.
    surge, unavailable = (0, 1) if _holds(service) else (1, 0)
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def _holds(service: Service) -> bool:
    """Tell whether a pod has what another one cannot have at the same time."""
    accelerations = [container.resources.acceleration for container in service.containers]
    return (
        any(entry.topology_aware or entry.compute or entry.communication for entry in accelerations)
        or any(HUGE_PAGES.keys() & planned.requests.keys() for planned in plan_resources(service))
        or any(volume.persistent_volume_claim is not None for volume in service.volumes)
    )
