"""Which optional parts of the toolkit a site uses. Pure."""

from __future__ import annotations

from typing import Literal

from gedge_provision.models.site import NodeClass, Site
from gedge_provision.models.sriov import Owner, SriovPolicy
from gedge_provision.planning.emulated_gpus import EMULATED_GPUS, emulated_classes
from gedge_provision.planning.gpu_labels import gpu_section, served_classes

__all__ = [
    "DEVICE_PLUGIN",
    "GPU",
    "GPU_CHART",
    "GSE_API_SERVER",
    "METRICS_SERVER",
    "MULTUS",
    "OPERATOR_LABEL",
    "PERF",
    "RDMA",
    "SOFT_RDMA",
    "SOFT_RDMA_LABEL",
    "SOFT_RDMA_RESOURCE",
    "SOFT_RDMA_SLOTS",
    "SRIOV",
    "WHEREABOUTS",
    "daemon_sets",
    "device_plugin_sources",
    "plugin_source",
    "shared_rdma_classes",
    "site_features",
]

GPU = "gpu"
GPU_CHART = "gpu_chart"
"""The operator's chart is the artifact store's, and not that of a server of the site's own."""
GSE_API_SERVER = "gse_api_server"
METRICS_SERVER = "metrics_server"
MULTUS = "multus"
SRIOV = "sriov"
RDMA = "rdma"
SOFT_RDMA = "soft_rdma"
WHEREABOUTS = "whereabouts"
PERF = "perf"
DEVICE_PLUGIN = "gedge.dev/sriov-device-plugin"
"""Label of nodes with the SR-IOV device plugin: whose configuration it takes, `site` or `own`."""
OPERATOR_LABEL = "gedge.dev/sriov-owner"
"""Label of nodes whose cards the SR-IOV network operator configures; its value is `operator`."""
SOFT_RDMA_LABEL = "gedge.dev/soft-rdma"
"""Label of nodes whose pods can have software RDMA."""
SOFT_RDMA_RESOURCE = "rdma/soft_rdma"
SOFT_RDMA_SLOTS = 16  # of the role soft_rdma_device_plugin, for each node


def site_features(site: Site) -> frozenset[str]:
    """Return what a site uses beyond the plain cluster; the catalog's artifacts name the same words."""
    found = set()
    attachments = site.networks.attachments
    if _policies(site, "host"):  # operators bring plugins of their own
        found.add(SRIOV)
    offered = {policy.resource for policy in _policies(site, "operator")}
    exclusive = [one for one in attachments if one.rdma == "exclusive" and one.resource not in offered]
    if shared_rdma_classes(site) or exclusive:
        found.add(RDMA)
    if attachments or site.networks.multus or found or offered:
        found.add(MULTUS)
    if any(attachment.rdma == "soft" for attachment in attachments):
        found.add(SOFT_RDMA)
    if any(attachment.ipam.type == "whereabouts" for attachment in attachments):
        found.add(WHEREABOUTS)
    if served_classes(site):
        found.add(GPU)
        if gpu_section(site).chart_server is None:
            found.add(GPU_CHART)
    tools = site.networks.test_tools
    switched = {
        PERF: MULTUS in found if tools is None else tools,
        EMULATED_GPUS: bool(emulated_classes(site)),
        GSE_API_SERVER: site.gse_api_server is not None,
        METRICS_SERVER: site.kubernetes.metrics_server,
    }
    return frozenset(found).union(name for name, on in switched.items() if on)


def _policies(site: Site, owner: Owner) -> list[SriovPolicy]:
    """Return the policies of one owner in classes that nodes have."""
    used = {node.node_class for node in site.nodes}
    classes = [site.node_classes[name] for name in sorted(used) if name in site.node_classes]
    return [policy for node_class in classes for policy in node_class.sriov if policy.owner == owner]


def plugin_source(node_class: NodeClass) -> Literal["site", "own", ""]:
    """Return whose configuration the device plugin takes on nodes of a class; empty where it does not run."""
    policies = [policy for policy in node_class.sriov if policy.owner == "host"]
    if not policies:
        return ""
    return "site" if any(policy.resource for policy in policies) else "own"


def device_plugin_sources(site: Site) -> list[str]:
    """Return the sources of all nodes' device plugins."""
    used = {node.node_class for node in site.nodes}
    return sorted({plugin_source(site.node_classes[name]) for name in used} - {""})


def shared_rdma_classes(site: Site) -> list[str]:
    """Return the classes of nodes with RDMA devices that pods share by our device plugin."""
    used = {node.node_class for node in site.nodes}
    classes = [name for name in sorted(used) if name in site.node_classes]
    return [name for name in classes if any(one.owner == "host" for one in site.node_classes[name].shared_rdma)]


def daemon_sets(site: Site) -> list[str]:
    """Return the DaemonSets of what a site uses beyond the plain cluster, as namespace/name."""
    features = site_features(site)
    found = ["kube-system/kube-multus-ds"] if MULTUS in features else []
    found += ["kube-system/whereabouts"] if WHEREABOUTS in features else []
    found += ["kube-system/soft-rdma-device-plugin"] if SOFT_RDMA in features else []
    found += [f"kube-system/rdma-shared-device-plugin-{name}" for name in shared_rdma_classes(site)]
    found += [f"kube-system/emulated-gpu-{name}" for name in emulated_classes(site)]
    names = {"site": "kube-system/kube-sriov-device-plugin", "own": "kube-system/kube-sriov-device-plugin-own"}
    return found + [names[source] for source in device_plugin_sources(site)]
