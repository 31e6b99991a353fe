"""From a service to its pods: containers, volumes, networks, claims, and where they may run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from gedge_provision.models.cluster import Manifest
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.service import Container, EnvFrom, EnvVar, Probe, Service, Volume
from gedge_provision.planning.acceleration import ContainerResources, DeviceClaim, plan_resources
from gedge_provision.planning.inventory import CLASS_LABEL

__all__ = ["NETWORKS", "claim_name", "claim_spec", "pod_annotations", "pod_spec"]

NETWORKS = "k8s.v1.cni.cncf.io/networks"
"""Annotation of pods by which Multus gives them further interfaces."""
_DIGITS = 8  # of a digest, to tell one content from another


def pod_annotations(service: Service) -> dict[str, str]:
    """Return the annotations of the pods: their secondary networks, in the order of the document.

    Source: the Kubernetes Network Custom Resource Definition De-facto Standard, version 1.3, 4.1.2.1 (the JSON list).
    """
    networks = [
        {
            "name": entry.network,
            **({"namespace": entry.namespace} if entry.namespace else {}),
            **({"ips": [entry.address]} if entry.address else {}),
        }
        for container in service.containers
        for entry in container.resources.acceleration.communication
        if entry.network is not None
    ]
    return {NETWORKS: json.dumps(networks)} if networks else {}


def pod_spec(service: Service) -> Manifest:
    """Return the specification of the pods."""
    resources = plan_resources(service)
    names = service.container_names()
    pod: Manifest = {
        # A service has no business with the API server, and needs no more rights than its image brings.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            _container(name, container, planned)
            for name, container, planned in zip(names, service.containers, resources, strict=True)
        ],
    }
    volumes = [_volume(volume) for volume in service.volumes if volume.claim_template is None]
    if volumes:
        pod["volumes"] = volumes
    claims = {name: planned.claims for name, planned in zip(names, resources, strict=True) if planned.claims}
    if claims:
        pod["resourceClaims"] = [
            {"name": name, "resourceClaimTemplateName": claim_name(service, name, claim)}
            for name, claim in claims.items()
        ]
    if service.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in service.image_pull_secrets]
    if service.node_selector:
        pod["nodeSelector"] = dict(service.node_selector)
    if service.node_classes:
        wanted = {"key": CLASS_LABEL, "operator": "In", "values": list(service.node_classes)}
        terms = {"nodeSelectorTerms": [{"matchExpressions": [wanted]}]}
        pod["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    return pod


def claim_name(service: Service, container: str, claims: Sequence[DeviceClaim]) -> str:
    """Return the name of a container's ResourceClaimTemplate, which cannot change: another content has another name."""
    digest = sha256(json.dumps(claim_spec(claims), sort_keys=True).encode()).hexdigest()[:_DIGITS]
    return f"{service.name}-{container}-{digest}"


def claim_spec(claims: Sequence[DeviceClaim]) -> Manifest:
    """Return what a container's ResourceClaimTemplate asks for."""
    return {"spec": {"devices": {"requests": [_request(claim) for claim in claims]}}}


def _request(claim: DeviceClaim) -> Manifest:
    exactly: Manifest = {
        "deviceClassName": claim.device_class,
        "allocationMode": "ExactCount",
        "count": claim.count,
    }
    if claim.profile:
        expression = f"device.attributes['gpu.nvidia.com'].profile == '{claim.profile}'"
        exactly["selectors"] = [{"cel": {"expression": expression}}]
    return {"name": claim.name, "exactly": exactly}


def _container(name: str, container: Container, resources: ContainerResources) -> Manifest:
    manifest: Manifest = {
        "name": name,
        "image": container.image,
        "securityContext": {"allowPrivilegeEscalation": False},
    }
    if container.image_pull_policy:
        manifest["imagePullPolicy"] = container.image_pull_policy
    if container.command:
        manifest["command"] = list(container.command)
    if container.args:
        manifest["args"] = list(container.args)
    if container.env_from:
        manifest["envFrom"] = [_source("Ref", source) for source in container.env_from]
    if container.env:
        manifest["env"] = [_variable(variable) for variable in container.env]
    if container.ports:
        manifest["ports"] = [
            {"containerPort": port.container_port, "protocol": port.protocol} for port in container.ports
        ]
    manifest |= _probes(container)
    if container.volume_mounts:
        manifest["volumeMounts"] = [
            {
                "name": mount.name,
                "mountPath": mount.mount_path,
                **({"readOnly": True} if mount.read_only else {}),
                **({"subPath": mount.sub_path} if mount.sub_path else {}),
            }
            for mount in container.volume_mounts
        ]
    amounts: Manifest = {"requests": _amounts(resources.requests), "limits": _amounts(resources.limits)}
    if resources.claims:
        amounts["claims"] = [{"name": name}]
    if any(amounts.values()):
        manifest["resources"] = {part: values for part, values in amounts.items() if values}
    return manifest


def _source(kind: str, source: EnvFrom) -> Manifest:
    if source.secret is not None:
        return {f"secret{kind}": {"name": source.secret}}
    return {f"configMap{kind}": {"name": source.config_map}}


def _variable(variable: EnvVar) -> Manifest:
    if variable.value_from is None:
        return {"name": variable.name, "value": variable.value}
    ((kind, source),) = _source("KeyRef", variable.value_from).items()
    return {"name": variable.name, "valueFrom": {kind: source | {"key": variable.value_from.key}}}


def _probes(container: Container) -> Manifest:
    probes = {
        "startupProbe": container.startup_probe,
        "livenessProbe": container.liveness_probe,
        "readinessProbe": container.readiness_probe,
    }
    found = {kind: _probe(probe) for kind, probe in probes.items() if probe is not None}
    listening = next((port for port in container.ports if port.protocol == "TCP"), None)
    if listening is not None and container.readiness_probe is None:
        # Ready means that the port that the document promises really accepts connections.
        found["readinessProbe"] = {"tcpSocket": {"port": listening.container_port}, "periodSeconds": 2}
    return found


def _probe(probe: Probe) -> Manifest:
    asked: Manifest
    if probe.http is not None:
        asked = {"httpGet": {"path": probe.http.path, "port": probe.http.port, "scheme": probe.http.scheme}}
    elif probe.tcp is not None:
        asked = {"tcpSocket": {"port": probe.tcp}}
    else:
        asked = {"exec": {"command": list(probe.exec or ())}}
    times = {
        "initialDelaySeconds": probe.initial_delay_seconds,
        "periodSeconds": probe.period_seconds,
        "timeoutSeconds": probe.timeout_seconds,
        "failureThreshold": probe.failure_threshold,
    }
    return asked | {key: value for key, value in times.items() if value is not None}


def _volume(volume: Volume) -> Manifest:
    source: Manifest
    if volume.empty_dir is not None:
        size = {"sizeLimit": str(volume.empty_dir.size)} if volume.empty_dir.size is not None else {}
        medium = {"medium": volume.empty_dir.medium} if volume.empty_dir.medium else {}
        source = {"emptyDir": medium | size}
    elif volume.config_map is not None:
        source = {"configMap": {"name": volume.config_map}}
    elif volume.secret is not None:
        source = {"secret": {"secretName": volume.secret}}
    else:
        source = {"persistentVolumeClaim": {"claimName": volume.persistent_volume_claim}}
    return {"name": volume.name} | source


def _amounts(resources: Mapping[str, Quantity]) -> dict[str, str]:
    return {name: str(amount) for name, amount in resources.items()}
