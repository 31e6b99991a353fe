"""What must hold for emulated GPUs, beyond what each field shows alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.site import NodeClass, Site
from gedge_provision.models.wording import counted
from gedge_provision.planning.features import SOFT_RDMA_RESOURCE

__all__ = ["check_emulated_gpus"]


def check_emulated_gpus(site: Site) -> Iterator[Problem]:
    """Yield emulated GPUs beside real ones, resources of two owners, and NUMA nodes for GPUs that are not there."""
    for name, node_class in site.node_classes.items():
        if node_class.gpu and node_class.emulated_gpus:
            yield Problem(
                ("node_classes", name, "emulated_gpus"),
                "nodes with GPUs (gpu) refuse emulated ones",
                "take one of the two out, or make a class for the nodes without GPUs",
            )
        taken = _taken(node_class)
        for index, one in enumerate(node_class.emulated_gpus):
            path: Path = ("node_classes", name, "emulated_gpus", index)
            if one.resource in taken:
                yield Problem(
                    (*path, "resource"),
                    f"{one.resource} is the resource of {taken[one.resource]} too",
                    "give it another name, or write it once with a larger count",
                )
            taken.setdefault(one.resource, f"emulated_gpus[{index}]")
            if len(one.numa_nodes) > one.count:
                yield Problem(
                    (*path, "numa_nodes"),
                    f"{len(one.numa_nodes)} NUMA nodes for {counted(one.count, 'GPU')}",
                    f"name {one.count} at most, or raise count",
                )


def _taken(node_class: NodeClass) -> dict[str, str]:
    found = {SOFT_RDMA_RESOURCE: "RDMA in software"}
    found |= {policy.resource: f"SR-IOV policy {policy.name}" for policy in node_class.sriov if policy.resource}
    return found | {one.resource: f"shared_rdma[{index}]" for index, one in enumerate(node_class.shared_rdma)}
