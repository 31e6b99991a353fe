"""What a cluster tells: the parts of Kubernetes objects that are read here, typed; all other fields are ignored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = [
    "ADDRESS_POOL",
    "APPLIED_KINDS",
    "AUTOSCALER",
    "CONFIG_MAP",
    "CONTROLLER_KINDS",
    "DAEMON_SET",
    "DEPLOYMENT",
    "EVENT",
    "GATEWAY",
    "GATEWAY_CLASS",
    "HTTP_ROUTE",
    "LIMIT_RANGE",
    "MESH_KINDS",
    "NAMESPACE",
    "NETWORK_ATTACHMENT",
    "NODE",
    "NODE_METRICS",
    "PERSISTENT_VOLUME_CLAIM",
    "POD",
    "POD_METRICS",
    "REPLICA_SET",
    "RESOURCE_CLAIM_TEMPLATE",
    "SELF_SUBJECT_REVIEW",
    "SERVICE",
    "SERVICE_ACCOUNT",
    "STATEFUL_SET",
    "Condition",
    "ContainerStatus",
    "DeploymentState",
    "Event",
    "Kind",
    "Manifest",
    "Metadata",
    "NodeImage",
    "NodeState",
    "Observed",
    "PodState",
    "ReplicaSetState",
    "ServiceState",
    "StatefulSetState",
    "Taint",
    "WatchEvent",
]

Manifest: TypeAlias = dict[str, Any]
"""A Kubernetes object as JSON data."""


@dataclass(frozen=True)
class Kind:
    """A kind of object and where the API server keeps it."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True


@dataclass(frozen=True)
class WatchEvent:
    """Something that happened to an object: its type (ADDED, MODIFIED, DELETED, BOOKMARK), and the object then."""

    type: str
    object: Manifest

    @property
    def version(self) -> str:
        """The version of the list from which to watch on."""
        return str(self.object["metadata"]["resourceVersion"])


CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
DAEMON_SET = Kind("apps/v1", "DaemonSet", "daemonsets")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
SERVICE = Kind("v1", "Service", "services")
POD = Kind("v1", "Pod", "pods")
POD_DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
PERSISTENT_VOLUME_CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
EVENT = Kind("v1", "Event", "events")
NODE = Kind("v1", "Node", "nodes", namespaced=False)
NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
NETWORK_ATTACHMENT = Kind("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", "network-attachment-definitions")
RUNTIME_CLASS = Kind("node.k8s.io/v1", "RuntimeClass", "runtimeclasses", namespaced=False)
CLUSTER_POLICY = Kind("nvidia.com/v1", "ClusterPolicy", "clusterpolicies", namespaced=False)
GPU_CLUSTER = Kind("nvidia.com/v1alpha1", "GPUCluster", "gpuclusters", namespaced=False)
RESOURCE_CLAIM_TEMPLATE = Kind("resource.k8s.io/v1", "ResourceClaimTemplate", "resourceclaimtemplates")
GATEWAY_CLASS = Kind("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses", namespaced=False)
GATEWAY = Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
LIMIT_RANGE = Kind("v1", "LimitRange", "limitranges")
SELF_SUBJECT_REVIEW = Kind("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False)
NODE_METRICS = Kind("metrics.k8s.io/v1beta1", "NodeMetrics", "nodes", namespaced=False)
POD_METRICS = Kind("metrics.k8s.io/v1beta1", "PodMetrics", "pods")
ADDRESS_POOL = Kind("whereabouts.cni.cncf.io/v1alpha1", "IPPool", "ippools")

CONTROLLER_KINDS = {
    kind.name: kind for kind in (AUTOSCALER, DEPLOYMENT, STATEFUL_SET, SERVICE, RESOURCE_CLAIM_TEMPLATE)
}
"""The kinds that a service consists of, by name: what is applied, pruned and deleted."""

MESH_KINDS = {kind.name: kind for kind in (HTTP_ROUTE, GATEWAY, SERVICE, CONFIG_MAP)}
"""The kinds that a service mesh consists of beside its services, in the order in which they are deleted."""

APPLIED_KINDS = CONTROLLER_KINDS | MESH_KINDS | {kind.name: kind for kind in (NAMESPACE, LIMIT_RANGE)}
"""The kinds that are applied at all, by name."""


class Observed(BaseModel):
    """The base of what is read from a cluster: frozen, and fields that it does not know are left out."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class Owner(Observed):
    """A reference to the object that controls another."""

    uid: str = ""


class Metadata(Observed):
    """Name and bookkeeping of an object."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    owner_references: tuple[Owner, ...] = ()


class Condition(Observed):
    """A condition of a node, a Deployment or a pod."""

    type: str
    status: str
    reason: str = ""
    message: str = ""


class Taint(Observed):
    """A taint on a node."""

    key: str
    value: str = ""
    effect: str

    def __str__(self) -> str:
        return f"{self.key}{'=' * bool(self.value)}{self.value}:{self.effect}"


class _NodeAddress(Observed):
    type: str
    address: str


class _NodeSpec(Observed):
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    pod_cidr: str = Field("", alias="podCIDR")


class NodeImage(Observed):
    """An image that a node has, by all of its names; kubelets tell of the largest 50."""

    names: tuple[str, ...] = ()
    size_bytes: int = Field(0, validation_alias="sizeBytes", serialization_alias="size_bytes")


class _NodeInfo(Observed):
    kubelet_version: str = ""
    container_runtime_version: str = ""


class _NodeStatus(Observed):
    capacity: dict[str, str] = Field(default_factory=dict)
    allocatable: dict[str, str] = Field(default_factory=dict)
    node_info: _NodeInfo = Field(default_factory=_NodeInfo)
    addresses: tuple[_NodeAddress, ...] = ()
    conditions: tuple[Condition, ...] = ()
    images: tuple[NodeImage, ...] = ()


class NodeState(Observed):
    """A node."""

    metadata: Metadata
    spec: _NodeSpec = Field(default_factory=_NodeSpec)
    status: _NodeStatus = Field(default_factory=_NodeStatus)

    @property
    def name(self) -> str:
        """The node's name."""
        return self.metadata.name

    @property
    def ready(self) -> bool:
        """Whether its kubelet reports that it takes pods."""
        return any(condition.type == "Ready" and condition.status == "True" for condition in self.status.conditions)

    @property
    def internal_ips(self) -> tuple[str, ...]:
        """The addresses that other nodes reach it by."""
        return tuple(entry.address for entry in self.status.addresses if entry.type == "InternalIP")


class _RollingUpdate(Observed):
    partition: int = 0


class _UpdateStrategy(Observed):
    rolling_update: _RollingUpdate | None = None


class _DeploymentSpec(Observed):
    replicas: int = 1
    paused: bool = False
    update_strategy: _UpdateStrategy | None = None


class _DeploymentStatus(Observed):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class DeploymentState(Observed):
    """A Deployment."""

    kind: str = "Deployment"
    metadata: Metadata
    spec: _DeploymentSpec = Field(default_factory=_DeploymentSpec)
    status: _DeploymentStatus = Field(default_factory=_DeploymentStatus)

    @property
    def paused(self) -> bool:
        """Whether a change of its pods is held back: a Deployment is paused, a StatefulSet updates none of its pods."""
        rolling = self.spec.update_strategy.rolling_update if self.spec.update_strategy else None
        return self.spec.paused or (rolling is not None and rolling.partition > 0)


class _StatefulSetStatus(_DeploymentStatus):
    update_revision: str = ""


class StatefulSetState(DeploymentState):
    """A StatefulSet: it tells of its pods in the words of a Deployment, and has no ReplicaSets."""

    status: _StatefulSetStatus = Field(default_factory=_StatefulSetStatus)


class ReplicaSetState(Observed):
    """A ReplicaSet: one revision of a Deployment."""

    metadata: Metadata

    @property
    def revision(self) -> int:
        """The number that the Deployment gave it; higher is newer."""
        return int(self.metadata.annotations.get("deployment.kubernetes.io/revision", "0"))


class _Waiting(Observed):
    reason: str = ""
    message: str = ""


class _Terminated(Observed):
    reason: str = ""
    message: str = ""
    exit_code: int = 0


class _ContainerPhase(Observed):
    waiting: _Waiting | None = None
    terminated: _Terminated | None = None


class ContainerStatus(Observed):
    """What the kubelet says of one container."""

    name: str
    image: str = ""
    ready: bool = False
    restart_count: int = 0
    state: _ContainerPhase = Field(default_factory=_ContainerPhase)
    last_state: _ContainerPhase = Field(default_factory=_ContainerPhase)


class _NamedContainer(Observed):
    name: str


class _PodSpec(Observed):
    node_name: str = ""
    containers: tuple[_NamedContainer, ...] = ()


class _PodStatus(Observed):
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    qos_class: str = ""
    pod_ip: str = Field("", alias="podIP")
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class PodState(Observed):
    """A pod."""

    metadata: Metadata
    spec: _PodSpec = Field(default_factory=_PodSpec)
    status: _PodStatus = Field(default_factory=_PodStatus)

    @property
    def name(self) -> str:
        """The pod's name."""
        return self.metadata.name

    @property
    def ready(self) -> bool:
        """Whether it may receive traffic."""
        return any(condition.type == "Ready" and condition.status == "True" for condition in self.status.conditions)


class _InvolvedObject(Observed):
    name: str = ""
    uid: str = ""


class Event(Observed):
    """Something that happened to an object."""

    involved_object: _InvolvedObject
    type: str = "Normal"
    reason: str = ""
    message: str = ""


class _ServicePort(Observed):
    port: int
    protocol: str = "TCP"
    node_port: int | None = None


class _ServiceSpec(Observed):
    type: str = "ClusterIP"
    cluster_ip: str = Field("", alias="clusterIP")
    load_balancer_class: str | None = None
    ports: tuple[_ServicePort, ...] = ()
    external_ips: tuple[str, ...] = Field((), alias="externalIPs")


class _Ingress(Observed):
    ip: str = ""


class _LoadBalancer(Observed):
    ingress: tuple[_Ingress, ...] = ()


class _ServiceStatus(Observed):
    load_balancer: _LoadBalancer = Field(default_factory=_LoadBalancer)


class ServiceState(Observed):
    """A Kubernetes Service."""

    metadata: Metadata
    spec: _ServiceSpec = Field(default_factory=_ServiceSpec)
    status: _ServiceStatus = Field(default_factory=_ServiceStatus)

    @property
    def ingress_ips(self) -> tuple[str, ...]:
        """The addresses that it is published on."""
        return tuple(entry.ip for entry in self.status.load_balancer.ingress if entry.ip)
