"""From a site to documents for operators that own network cards. Pure.

These are the SR-IOV network operator, alone or as a part of NVIDIA's network operator. Attachments stay with the role
`attachments`: a NetworkAttachmentDefinition works with the operator's resources as it does with ours, and one that the
operator made of a SriovNetwork would be a second owner of the same object.
"""

from __future__ import annotations

import json
from typing import Any

from gedge_provision.models.cluster import Manifest
from gedge_provision.models.errors import UsageError
from gedge_provision.models.site import NodeClass, Site
from gedge_provision.models.sriov import SriovPolicy
from gedge_provision.planning.features import OPERATOR_LABEL
from gedge_provision.planning.gpu_labels import served_classes
from gedge_provision.planning.inventory import CLASS_LABEL, shared_configuration

__all__ = ["operator_documents"]

_API = "sriovnetwork.openshift.io/v1"
_MELLANOX = "15b3"
_SHARED_PLUGIN = {
    "image": "k8s-rdma-shared-dev-plugin",
    "repository": "nvcr.io/nvidia/mellanox",
    "version": "network-operator-v26.4.1",
}
"""The image of the release that these documents are written for, NVIDIA's network operator 26.4.1."""


def operator_documents(site: Site) -> dict[str, list[Manifest]]:
    """Return documents by file name: objects of the cluster, and the values of one Helm chart.

    Raises:
        UsageError: no operator owns anything.
    """
    classes = _classes(site)
    policies = [policy for node_class in classes.values() for policy in _policies(node_class)]
    # The operator has one configuration for all nodes, and its plugin takes a resource once.
    shared = {
        one.resource: one
        for node_class in classes.values()
        for one in node_class.shared_rdma
        if one.owner == "operator"
    }
    if not policies and not shared:
        raise UsageError(
            "no card of this site belongs to an operator",
            place="node_classes",
            remedy="set owner: operator in an SR-IOV policy or in shared_rdma",
        )
    nvidia = bool(shared) or any(policy.nics.vendor == _MELLANOX for policy in policies)
    found: dict[str, list[Manifest]] = {}
    if policies:
        namespace = "nvidia-network-operator" if nvidia else "sriov-network-operator"
        found["sriov-policies.yml"] = [
            _node_policy(name, policy, namespace)
            for name, node_class in classes.items()
            for policy in _policies(node_class)
        ] + [_pool(site, name, namespace) for name, node_class in classes.items() if _policies(node_class)]
    if shared:
        sharing = [name for name, one in classes.items() if any(each.owner == "operator" for each in one.shared_rdma)]
        found["nic-cluster-policy.yml"] = [_nic_cluster_policy(sharing, shared_configuration(list(shared.values())))]
    sriov = _sriov_values(site, policies) if policies else {}
    if nvidia:
        values: Manifest = {"sriovNetworkOperator": {"enabled": bool(policies)}}
        if served_classes(site):
            values["nfd"] = {"enabled": False}  # the GPU operator brings it, and a node has one
        found["network-operator-values.yml"] = [values | ({"sriov-network-operator": sriov} if sriov else {})]
    else:
        found["sriov-network-operator-values.yml"] = [sriov]
    return found


def _classes(site: Site) -> dict[str, NodeClass]:
    used = {node.node_class for node in site.nodes}
    return {name: site.node_classes[name] for name in sorted(used)}


def _policies(node_class: NodeClass) -> list[SriovPolicy]:
    return [policy for policy in node_class.sriov if policy.owner == "operator"]


def _node_policy(class_name: str, policy: SriovPolicy, namespace: str) -> Manifest:
    nics = {
        "vendor": policy.nics.vendor,
        "deviceID": policy.nics.device,
        "pfNames": list(policy.nics.interfaces),
        "rootDevices": list(policy.nics.addresses),
    }
    spec: dict[str, Any] = {
        "nodeSelector": {CLASS_LABEL: class_name},
        "nicSelector": {key: value for key, value in nics.items() if value},
        "numVfs": policy.vfs,
        "resourceName": (policy.resource or "").partition("/")[2],
        "deviceType": policy.device_type,
        "isRdma": policy.rdma,
    }
    if policy.mtu is not None:
        spec["mtu"] = policy.mtu
    return _object("SriovNetworkNodePolicy", f"{class_name}-{policy.name}", namespace, spec)


def _pool(site: Site, class_name: str, namespace: str) -> Manifest:
    """Return how many nodes of a class change at a time, and whether their RDMA devices are for single pods."""
    most = site.rollout.max_unavailable
    spec: dict[str, Any] = {
        "nodeSelector": {"matchLabels": {CLASS_LABEL: class_name}},
        "maxUnavailable": int(most) if most.isdecimal() else most,
    }
    resources = {policy.resource for policy in _policies(site.node_classes[class_name])}
    if any(one.rdma == "exclusive" and one.resource in resources for one in site.networks.attachments):
        spec["rdmaMode"] = "exclusive"
    return _object("SriovNetworkPoolConfig", class_name, namespace, spec)


def _object(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> Manifest:
    return {"apiVersion": _API, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _sriov_values(site: Site, policies: list[SriovPolicy]) -> Manifest:
    return {
        "operator": {"resourcePrefix": (policies[0].resource or "").partition("/")[0]},
        "sriovOperatorConfig": {
            "deploy": True,
            "configDaemonNodeSelector": {OPERATOR_LABEL: "operator"},
            "disableDrain": not site.rollout.drain,
        },
    }


def _nic_cluster_policy(classes: list[str], configuration: dict[str, Any]) -> Manifest:
    expression = {"key": CLASS_LABEL, "operator": "In", "values": classes}
    return {
        "apiVersion": "mellanox.com/v1alpha1",
        "kind": "NicClusterPolicy",
        "metadata": {"name": "nic-cluster-policy"},  # the operator takes no other name
        "spec": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [expression]}]
                }
            },
            "rdmaSharedDevicePlugin": _SHARED_PLUGIN | {"config": json.dumps(configuration)},
        },
    }
