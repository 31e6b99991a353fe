"""Labels by which the GPU operator treats nodes differently. Pure."""

from __future__ import annotations

from gedge_provision.models.gpu import GpuIntent
from gedge_provision.models.gpu_operator import GpuOperator
from gedge_provision.models.site import Node, Site

__all__ = [
    "GPU_LABELS",
    "divides_gpus",
    "gpu_labels",
    "gpu_section",
    "mig_layout",
    "served_classes",
    "served_nodes",
]

_PLUGIN = "nvidia.com/device-plugin.config"
_MIG = "nvidia.com/mig.config"
_OPERANDS = "nvidia.com/gpu.deploy.operands"
_DRIVER = "nvidia.com/gpu.deploy.driver"
_MIG_MANAGER = "nvidia.com/gpu.deploy.mig-manager"
GPU_LABELS = (_PLUGIN, _MIG, _OPERANDS, _DRIVER, _MIG_MANAGER)
"""Those that are set here; the operator sets others of its own."""


def gpu_section(site: Site) -> GpuOperator:
    """Return what the site file says of the operator, or its defaults."""
    return site.gpu_operator or GpuOperator()


def served_classes(site: Site) -> dict[str, GpuIntent]:
    """Return the classes of nodes whose GPUs are the operator's, by name."""
    used = sorted({node.node_class for node in site.nodes})
    found = {name: site.node_classes[name].gpu for name in used if name in site.node_classes}
    return {name: intent for name, intent in found.items() if intent is not None and intent.driver != "none"}


def served_nodes(site: Site) -> tuple[Node, ...]:
    """Return the nodes whose GPUs are the operator's."""
    served = served_classes(site)
    return tuple(node for node in site.nodes if node.node_class in served)


def mig_layout(site: Site, node: Node) -> str | None:
    """Return how the GPUs of a node are divided; None where nobody divides them."""
    intent = site.node_classes[node.node_class].gpu
    return node.gpu.mig if node.gpu else intent.mig if intent else None


def divides_gpus(site: Site) -> bool:
    """Tell whether some node asks for a MIG layout; checks leave a node's own to nodes of served classes."""
    return any(intent.mig for intent in served_classes(site).values()) or any(node.gpu for node in site.nodes)


def gpu_labels(site: Site, node: Node) -> dict[str, str]:
    """Return the labels of a node that tell the operator what its class asks for."""
    intent = site.node_classes[node.node_class].gpu
    if intent is None:
        return {}
    if intent.driver == "none":
        return {_OPERANDS: "false"}
    labels = {}
    if intent.driver == "preinstalled" and any(one.driver == "operator" for one in served_classes(site).values()):
        labels[_DRIVER] = "false"
    if intent.sharing is not None:
        labels[_PLUGIN] = node.node_class
    layout = mig_layout(site, node)
    if layout is not None:
        labels[_MIG] = layout
    elif divides_gpus(site):
        labels[_MIG_MANAGER] = "false"  # it would make GPUs whole that somebody has divided by hand
    return labels
