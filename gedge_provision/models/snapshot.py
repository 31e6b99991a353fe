"""What a cluster shows at one moment, as an acceptance report looks at it; written as JSON, it can be kept and read."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import AwareDatetime, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gedge_provision.models.cluster import (
    DeploymentState,
    Manifest,
    Metadata,
    NodeState,
    Observed,
    PodState,
    ServiceState,
)

__all__ = [
    "Certificate",
    "ClusterSnapshot",
    "ConfigMapState",
    "DaemonSetState",
    "DefinitionState",
    "KubeletAnswer",
    "MetricsAnswer",
    "PoolState",
    "ServerAnswer",
]


class _Collected(Observed):
    """The base of what is put together here, and so also made by name."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, populate_by_name=True)


class _DaemonSetStatus(Observed):
    observed_generation: int = 0
    desired_number_scheduled: int = 0
    updated_number_scheduled: int = 0
    number_ready: int = 0


class DaemonSetState(Observed):
    """A DaemonSet."""

    metadata: Metadata
    status: _DaemonSetStatus = Field(default_factory=_DaemonSetStatus)


class ConfigMapState(Observed):
    """A ConfigMap."""

    metadata: Metadata
    data: dict[str, str] = Field(default_factory=dict)


class _DefinitionSpec(Observed):
    config: str = ""


class DefinitionState(Observed):
    """A NetworkAttachmentDefinition."""

    metadata: Metadata
    spec: _DefinitionSpec = Field(default_factory=_DefinitionSpec)


class _PoolSpec(Observed):
    range: str = ""
    allocations: dict[str, Any] = Field(default_factory=dict)


class PoolState(Observed):
    """A range of whereabouts, and what it gave away (IPPool)."""

    metadata: Metadata
    spec: _PoolSpec = Field(default_factory=_PoolSpec)


class Certificate(_Collected):
    """The certificate that a server shows: its names and addresses, and until when it is valid.

    `problem` says why it could not be had: no answer, a CA that is not the cluster's, no longer valid.
    """

    names: tuple[str, ...] = ()
    not_after: datetime | None = None
    problem: str = ""


class KubeletAnswer(_Collected):
    """The KubeletConfiguration that a kubelet runs with, or why it does not tell."""

    configuration: dict[str, Any] = Field(default_factory=dict)
    problem: str = ""


class MetricsAnswer(_Collected):
    """The nodes that metrics.k8s.io tells of, or why it does not."""

    nodes: tuple[str, ...] = ()
    problem: str = ""


class ServerAnswer(_Collected):
    """What the GSE API server tells of itself.

    Attributes:
        problem: why it is not ready, or does not answer.
        fingerprint: SHA-256 of the certificate that its pods were started with.
        not_after: until when that is valid.
        shown: SHA-256 of the certificate that it shows, by ADDRESS:PORT; those without an answer are left out.
    """

    problem: str = ""
    fingerprint: str = ""
    not_after: AwareDatetime | None = None
    shown: dict[str, str] = Field(default_factory=dict)


class ClusterSnapshot(_Collected):
    """The objects of a cluster that tell whether it is as its site file says.

    Attributes:
        taken: when.
        server: URL of the API server that was asked.
        problem: why it could not be asked; the rest is empty then.
        version: that of the API server, with the v.
        nodes: all nodes.
        kubelets: what their kubelets run with, by node.
        pods: those of the cluster's own namespaces.
        daemon_sets: the same.
        deployments: the same.
        services: the same.
        config_maps: those that hold settings.
        certificates: what API servers show, by ADDRESS:PORT.
        definitions: the NetworkAttachmentDefinitions of all namespaces.
        pools: the ranges of whereabouts.
        metrics: the nodes that the cluster's metrics tell of, or why they do not answer.
        gse_api_server: what the GSE API server tells of itself, where the site has one.
    """

    taken: AwareDatetime
    server: str
    problem: str = ""
    version: str = ""
    nodes: tuple[NodeState, ...] = ()
    kubelets: dict[str, KubeletAnswer] = Field(default_factory=dict)
    pods: tuple[PodState, ...] = ()
    daemon_sets: tuple[DaemonSetState, ...] = ()
    deployments: tuple[DeploymentState, ...] = ()
    services: tuple[ServiceState, ...] = ()
    config_maps: tuple[ConfigMapState, ...] = ()
    certificates: dict[str, Certificate] = Field(default_factory=dict)
    definitions: tuple[DefinitionState, ...] = ()
    pools: tuple[PoolState, ...] = ()
    metrics: MetricsAnswer = Field(default_factory=MetricsAnswer)
    gse_api_server: ServerAnswer = Field(default_factory=ServerAnswer)

    @cached_property
    def _by_name(self) -> dict[str, NodeState]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def pods_by_node(self) -> dict[str, list[PodState]]:
        """The pods of each node that has one."""
        found: dict[str, list[PodState]] = {}
        for pod in self.pods:
            found.setdefault(pod.spec.node_name, []).append(pod)
        return found

    def node(self, name: str) -> NodeState | None:
        """Return the node of that name, or None."""
        return self._by_name.get(name)

    def kubelet(self, name: str) -> Manifest:
        """Return what a node's kubelet runs with; empty when it does not tell."""
        return self.kubelets.get(name, KubeletAnswer()).configuration

    def pod_ready(self, node: str, namespace: str, labels: dict[str, str]) -> bool | None:
        """Tell whether a pod with these labels is ready on a node; None when there is none."""
        found = [
            pod.ready
            for pod in self.pods_by_node.get(node, ())
            if pod.metadata.namespace == namespace and labels.items() <= pod.metadata.labels.items()
        ]
        return any(found) if found else None

    def settings(self, namespace: str, name: str, key: str) -> str:
        """Return an entry of a ConfigMap; empty when it is not there."""
        for found in self.config_maps:
            if (found.metadata.namespace, found.metadata.name) == (namespace, name):
                return found.data.get(key, "")
        return ""

    def cluster_ip(self, namespace: str, name: str) -> str:
        """Return the cluster address of a Service; empty when it is not there."""
        for found in self.services:
            if (found.metadata.namespace, found.metadata.name) == (namespace, name):
                return found.spec.cluster_ip
        return ""
