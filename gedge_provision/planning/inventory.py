"""From a site to the inventory that the playbooks run on: groups, connections and role variables."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.site import Node, NodeClass, Role, Site
from gedge_provision.models.sriov import SharedRdma
from gedge_provision.models.ssh import known_hosts_option
from gedge_provision.planning.alignment import alignment_policy
from gedge_provision.planning.attachments import attachment_manifests, attachment_masters, with_dhcp, with_rdma
from gedge_provision.planning.emulated_gpus import (
    EMULATED_GPUS_LABEL,
    emulated_gpu_variables,
    emulated_resources,
)
from gedge_provision.planning.features import (
    DEVICE_PLUGIN,
    OPERATOR_LABEL,
    SOFT_RDMA_LABEL,
    SOFT_RDMA_RESOURCE,
    SOFT_RDMA_SLOTS,
    daemon_sets,
    device_plugin_sources,
    plugin_source,
    shared_rdma_classes,
    site_features,
)
from gedge_provision.planning.gpu_labels import gpu_labels
from gedge_provision.planning.gse_api_server import gse_variables

__all__ = [
    "API_PORT",
    "CLASS_LABEL",
    "EMULATED_LABEL",
    "Inventory",
    "compile_inventory",
    "connection",
    "endpoint_port",
    "node_labels",
    "node_taints",
    "rdma_resources",
    "shared_configuration",
]

API_PORT = 6443
CLASS_LABEL = "gedge.dev/node-class"
EMULATED_LABEL = "gedge.dev/emulated-hardware"
_BALANCED_API_PORT = 8443  # haproxy stands on the same hosts as the API servers
_CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
_CONTROL_PLANE_MIN_MEMORY_MIB = 1700  # kubeadm's own floor
_CONTROL_PLANE_MIN_CPUS = 2
_LOOK_AGAIN_S = 60  # how often the RDMA shared device plugin looks for devices
_IMAGES = (
    ("emulated-gpu-device-plugin", "emulated_gpu_image"),
    ("flannel", "flannel_image"),
    ("gse-api-server", "gse_api_server_image"),
    ("metrics-server", "metrics_server_image"),
    ("multus", "multus_image"),
    ("pause", "containerd_sandbox_image"),
    ("pause", "kubelet_probe_image"),
    ("rdma-shared-device-plugin", "rdma_shared_device_plugin_image"),
    ("soft-rdma-device-plugin", "soft_rdma_device_plugin_image"),
    ("sriov-network-device-plugin", "sriov_device_plugin_image"),
    ("whereabouts-control-loop", "whereabouts_image"),
)
"""Images of the catalog, and the variables that name them."""
_OF_OPERATOR = ("sriov", "rdma")  # CNI plugins
_CONTROL_PLANE_PORTS = {"2379": "etcd", "2380": "etcd", "10257": "kube-controller-manager", "10259": "kube-scheduler"}


@dataclass(frozen=True)
class Inventory:
    """What Ansible needs to know: groups of host names, variables of all hosts and of each."""

    groups: Mapping[str, tuple[str, ...]]
    variables: Mapping[str, Any] = field(default_factory=dict)
    host_variables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def compile_inventory(  # noqa: PLR0913 - what a site is compiled from
    site: Site,
    artifacts: Mapping[Role, Sequence[Mapping[str, Any]]],
    kubeconfig: str,
    *,
    artifacts_problem: str = "",
    images: Mapping[str, str] | None = None,
    leaving: Mapping[str, Mapping[str, Any]] | None = None,
    gpu: Mapping[str, Any] | None = None,
    first_only: Collection[str] = (),
) -> Inventory:
    """Compute the inventory of a site.

    Args:
        site: the validated site.
        artifacts: what a node of each role installs, as the role `artifacts` takes it (name, kind, sha256, size in
            bytes, target, source).
        kubeconfig: where the administrator's kubeconfig is written on the controller.
        artifacts_problem: why `artifacts` is empty, with the remedy.
        images: references of the catalog's images, by name; what is left out has the role's default.
        leaving: connections of hosts that were installed and are no longer in the site file, by name.
        gpu: variables of the role gpu_operator (planning.gpu).
        first_only: artifacts of control-plane nodes that only the first one gets.
    """
    managers = [node.name for node in site.with_role("control_plane")]
    balanced = site.control_plane.virtual_ip is not None
    workers = [node.name for node in site.nodes if node.name not in managers]
    return Inventory(
        groups={
            "control_plane": tuple(managers),
            "control_plane_first": tuple(managers[:1]),
            "control_plane_others": tuple(managers[1:]),
            "control_plane_balanced": tuple(managers if balanced else ()),
            "workers": tuple(workers),
            "leaving": tuple(leaving or ()),
        },
        variables=_site_variables(site, kubeconfig=kubeconfig)
        | dict(gpu or {})
        | gse_variables(site, artifacts["control_plane"])
        | {variable: (images or {})[name] for name, variable in _IMAGES if name in (images or {})}
        | {"artifacts_problem": artifacts_problem},
        host_variables={
            node.name: connection(site, node)
            | _node_variables(site, node, artifacts, () if node.name in managers[:1] else first_only)
            for node in site.nodes
        }
        | {name: dict(how) for name, how in (leaving or {}).items()},
    )


def endpoint_port(site: Site) -> int:
    """Return the port of the API server's address: haproxy's behind a virtual address, else its own."""
    return _BALANCED_API_PORT if site.control_plane.virtual_ip is not None else API_PORT


def _site_variables(site: Site, *, kubeconfig: str) -> dict[str, Any]:
    managers = site.with_role("control_plane")
    port = endpoint_port(site)
    return {
        "gedge_site": site.name,
        "gedge_kubeconfig": kubeconfig,
        "artifacts_host_path": site.artifacts.host_path or "",
        "kubeadm_cluster_name": site.name,
        "kubeadm_kubernetes_version": site.kubernetes.version,
        "kubeadm_first_control_plane": managers[0].name,
        "kubeadm_endpoint": f"{site.api_address}:{port}",
        "kubeadm_pod_network": str(site.networks.pods),
        "kubeadm_service_network": str(site.networks.services),
        "kubeadm_dns_domain": site.networks.dns_domain,
        "kubeadm_extra_sans": [str(name) for name in site.control_plane.extra_sans],
        "flannel_api_endpoint": f"{site.api_address}:{port}",
        "flannel_pod_network": str(site.networks.pods),
        "flannel_backend": site.networks.flannel.backend,
        "flannel_vni": site.networks.flannel.vni,
        "flannel_port": site.networks.flannel.port,
        "api_endpoint_virtual_ip": str(site.control_plane.virtual_ip or ""),
        "api_endpoint_port": port,
        "api_endpoint_virtual_router_id": site.control_plane.virtual_router_id,
        "api_endpoint_backends": [{"name": node.name, "address": str(node.address)} for node in managers],
        "containerd_registry_mirrors": {name: list(urls) for name, urls in site.registry_mirrors.items()},
        "gedge_max_unavailable": site.rollout.max_unavailable,
        "gedge_features": sorted(site_features(site)),
        "attachments_manifests": attachment_manifests(site),
        "multus_api_endpoint": f"{site.api_address}:{port}",
        "whereabouts_api_endpoint": f"{site.api_address}:{port}",
        "sriov_device_plugin_sources": device_plugin_sources(site),
        "kernel_arguments_first_control_plane": managers[0].name,
        "kernel_arguments_drain": site.rollout.drain,
        "rdma_shared_device_plugin_classes": [
            {"name": name, "configuration": shared_configuration(_shared(site.node_classes[name]))}
            for name in shared_rdma_classes(site)
        ],
        **emulated_gpu_variables(site),
        "soft_rdma_device_plugin_resource": SOFT_RDMA_RESOURCE,
        "soft_rdma_device_plugin_devices": SOFT_RDMA_SLOTS,
        "soft_rdma_device_plugin_node_selector": {SOFT_RDMA_LABEL: "true"},
        "host_tuning_first_control_plane": managers[0].name,
        "host_tuning_drain": site.rollout.drain,
        "sriov_first_control_plane": managers[0].name,
        "sriov_drain": site.rollout.drain,
        "kubelet_first_control_plane": managers[0].name,
        "kubelet_drain": site.rollout.drain,
        "nodes_labels": {node.name: node_labels(site, node) for node in site.nodes},
        "nodes_taints": {node.name: node_taints(site, node) for node in site.nodes},
        "gedge_alignment": {
            node.name: alignment_policy(site.node_classes[node.node_class].kubelet.to_kubelet()) for node in site.nodes
        },
        "cluster_verify_daemon_sets": daemon_sets(site),
        "cluster_verify_nodes": [
            {
                "name": node.name,
                # Of a planned node in the run: by then its topology is known.
                "kubelet": {} if site.cpu_intent(node) else site.node_classes[node.node_class].kubelet.to_kubelet(),
                "version": f"v{site.kubernetes.version}",
                "labels": node_labels(site, node),
                "resources": rdma_resources(site, node) | emulated_resources(site.node_classes[node.node_class]),
            }
            for node in site.nodes
        ],
    }


def connection(site: Site, node: Node) -> dict[str, Any]:
    """Return how Ansible reaches a host."""
    variables: dict[str, Any] = {
        "ansible_host": node.ssh_host or str(node.address),
        "ansible_user": site.ssh.user,
        "ansible_port": site.ssh.port,
        "ansible_become": site.ssh.become,
    }
    if site.ssh.private_key:
        variables["ansible_ssh_private_key_file"] = site.ssh.private_key
    if site.ssh.known_hosts:
        # Ansible splits it as a shell does; what is left of the quotes is for ssh.
        variables["ansible_ssh_common_args"] = shlex.join(["-o", known_hosts_option(site.ssh.known_hosts)])
    return variables


def _node_variables(
    site: Site, node: Node, artifacts: Mapping[Role, Sequence[Mapping[str, Any]]], without: Collection[str]
) -> dict[str, Any]:
    manager = "control_plane" in node.roles
    node_class = site.node_classes[node.node_class]
    variables: dict[str, Any] = {
        "host_prepare_address": str(node.address),
        "artifacts_items": _artifacts(node_class, artifacts["control_plane" if manager else "worker"], without),
        "kubelet_config": node_class.kubelet.to_kubelet(),
        "kubelet_control_plane": manager,
        "cpu_plan_intent": _intent(site.cpu_intent(node)),
        "cpu_plan_kubelet": node_class.kubelet.model_dump(mode="json", exclude_unset=True),
        "cpu_plan_kernel_arguments": list(node_class.kernel_arguments),
        "kubeadm_control_plane": manager,
        "kubeadm_node_name": node.name,
        "kubeadm_node_address": str(node.address),
        "kubeadm_taints": node_taints(site, node),
        "gpu_operator_driver": node_class.gpu.driver if node_class.gpu else "none",
        "kernel_arguments_list": list(node_class.kernel_arguments),
        "kernel_arguments_iommu": any(
            policy.device_type == "vfio-pci" and policy.owner == "host" for policy in node_class.sriov
        ),
        "sriov_policies": [
            policy.model_dump(mode="json", exclude={"owner"}, exclude_none=True)
            for policy in node_class.sriov
            if policy.owner == "host"
        ],
        "sriov_management_address": str(node.address),
        "host_prepare_interfaces": attachment_masters(site, node),
        "host_prepare_dhcp": with_dhcp(site, node),
        "host_prepare_rdma": {
            "soft": with_rdma(site, node, "soft"),
            "exclusive": with_rdma(site, node, "exclusive", owner="host"),
            "shared": [
                {"resource": one.resource, "nics": one.nics.model_dump(mode="json", exclude_defaults=True)}
                for one in _shared(node_class)
            ],
        },
    }
    if manager:
        ports = {"10250": "kubelet", "10248": "kubelet", str(API_PORT): "kube-apiserver", **_CONTROL_PLANE_PORTS}
        if site.control_plane.virtual_ip is not None:
            ports[str(_BALANCED_API_PORT)] = "haproxy"
        variables |= {
            "host_prepare_min_cpus": _CONTROL_PLANE_MIN_CPUS,
            "host_prepare_min_memory_mib": _CONTROL_PLANE_MIN_MEMORY_MIB,
            "host_prepare_ports": ports,
        }
    return variables


def _intent(intent: CpuIntent | None) -> dict[str, Any]:
    """Return what is asked of CPUs, for the role cpu_plan; empty where nothing is planned."""
    return {"profile": intent.profile, **intent.model_dump(mode="json", exclude_unset=True)} if intent else {}


def _artifacts(
    node_class: NodeClass, items: Sequence[Mapping[str, Any]], without: Collection[str]
) -> list[Mapping[str, Any]]:
    """Leave out what is another node's, and what the SR-IOV network operator installs: a file has one owner."""
    operated = any(policy.owner == "operator" for policy in node_class.sriov)
    left_out = {*without, *(_OF_OPERATOR if operated else ())}
    return [item for item in items if item["name"] not in left_out]


def rdma_resources(site: Site, node: Node) -> dict[str, int]:
    """Return the numbers of RDMA resources that a node offers beside its virtual functions."""
    shared = {one.resource: one.pods for one in _shared(site.node_classes[node.node_class])}
    return shared | ({SOFT_RDMA_RESOURCE: SOFT_RDMA_SLOTS} if with_rdma(site, node, "soft") else {})


def _shared(node_class: NodeClass) -> list[SharedRdma]:
    return [one for one in node_class.shared_rdma if one.owner == "host"]


def shared_configuration(shared: Sequence[SharedRdma]) -> dict[str, Any]:
    """Return the configuration of the RDMA shared device plugin, in its own words."""
    return {"periodicUpdateInterval": _LOOK_AGAIN_S, "configList": [_shared_entry(one) for one in shared]}


def _shared_entry(one: SharedRdma) -> dict[str, Any]:
    prefix, _, name = one.resource.partition("/")
    words = {
        "vendors": [one.nics.vendor] if one.nics.vendor else [],
        "deviceIDs": [one.nics.device] if one.nics.device else [],
        "drivers": [one.nics.driver] if one.nics.driver else [],
        "ifNames": list(one.nics.interfaces),
    }
    return {
        "resourcePrefix": prefix,
        "resourceName": name,
        "rdmaHcaMax": one.pods,
        "selectors": {key: value for key, value in words.items() if value},
    }


def node_labels(site: Site, node: Node) -> dict[str, str]:
    """Return the labels that a node must carry: its class by name, those of the class, its own."""
    node_class = site.node_classes[node.node_class]
    labels = {CLASS_LABEL: node.node_class}
    source = plugin_source(node_class)
    if source:
        labels[DEVICE_PLUGIN] = source
    if any(policy.owner == "operator" for policy in node_class.sriov):
        labels[OPERATOR_LABEL] = "operator"
    if with_rdma(site, node, "soft"):
        labels[SOFT_RDMA_LABEL] = "true"
    if node_class.emulated_gpus:
        labels[EMULATED_GPUS_LABEL] = "true"
    emulated = {EMULATED_LABEL: "true"} if site.lab is not None and node.name in site.lab.emulated else {}
    return labels | gpu_labels(site, node) | dict(node_class.labels) | dict(node.labels) | emulated


def node_taints(site: Site, node: Node) -> list[dict[str, str]]:
    """Return the taints that a node registers with: those of its class, and that of a control plane without pods."""
    taints: list[dict[str, str]] = [
        taint.model_dump(exclude_defaults=True) for taint in site.node_classes[node.node_class].taints
    ]
    if "control_plane" in node.roles and "worker" not in node.roles and _CONTROL_PLANE_TAINT not in taints:
        taints.append(dict(_CONTROL_PLANE_TAINT))
    return taints
