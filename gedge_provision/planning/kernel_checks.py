"""What must hold across the kernel arguments of a node class. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.site import NodeClass, Site

__all__ = ["check_kernel_arguments"]

_LONGEST = 2047  # COMMAND_LINE_SIZE of x86, with the byte that ends it
_WITHOUT_IOMMU = ("iommu", "intel_iommu", "amd_iommu")
_ONE_LIST = ("isolcpus", "nohz_full", "rcu_nocbs")
"""Arguments of which the kernel takes one list of CPUs."""


def check_kernel_arguments(site: Site) -> Iterator[Problem]:
    """Yield arguments that contradict one another or a policy of their class, and a list that is too long."""
    for name, node_class in site.node_classes.items():
        yield from _arguments(("node_classes", name, "kernel_arguments"), node_class)


def _arguments(path: Path, node_class: NodeClass) -> Iterator[Problem]:
    size = len(" ".join(node_class.kernel_arguments))
    if size > _LONGEST:
        yield Problem(
            path, f"{size} characters are more than a kernel reads ({_LONGEST})", "use fewer, or shorter ones"
        )
    needing = next((policy.name for policy in node_class.sriov if policy.device_type == "vfio-pci"), None)
    first: dict[str, str] = {}
    for index, argument in enumerate(node_class.kernel_arguments):
        key, _, value = argument.partition("=")
        if needing and key in _WITHOUT_IOMMU and "off" in value.split(","):
            yield Problem(
                (*path, index),
                f"{argument} leaves policy {needing} (vfio-pci) without the IOMMU that it needs",
                "take it out, or use device_type: netdevice",
            )
        if key in _ONE_LIST and first.setdefault(key, argument) != argument:
            yield Problem((*path, index), f"{argument} contradicts {first[key]}", "keep one of them")
