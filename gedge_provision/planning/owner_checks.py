"""What must hold where some cards are the operator's and others the host's. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.site import Site
from gedge_provision.planning.emulated_gpus import EMULATED_GPUS_LABEL
from gedge_provision.planning.features import DEVICE_PLUGIN, OPERATOR_LABEL, SOFT_RDMA_LABEL
from gedge_provision.planning.inventory import CLASS_LABEL, EMULATED_LABEL

__all__ = ["check_owners"]

_OURS = (CLASS_LABEL, DEVICE_PLUGIN, EMULATED_GPUS_LABEL, EMULATED_LABEL, OPERATOR_LABEL, SOFT_RDMA_LABEL)
"""Labels that say what a node is: DaemonSets, operators' too, go where they stand."""


def check_owners(site: Site) -> Iterator[Problem]:
    """Yield classes of two owners, and labels that would bring one owner's programs to the other's nodes."""
    for name, node_class in site.node_classes.items():
        yield from _one_owner(("node_classes", name, "sriov"), site, name)
        yield from _labels(("node_classes", name, "labels"), node_class.labels)
    for index, node in enumerate(site.nodes):
        yield from _labels(("nodes", index, "labels"), node.labels)


def _one_owner(path: Path, site: Site, name: str) -> Iterator[Problem]:
    policies = site.node_classes[name].sriov
    for index, policy in enumerate(policies):
        first = policies[0]
        if policy.owner != first.owner:
            yield Problem(
                (*path, index),
                f"cards of {policy.name} are the {policy.owner}'s, and those of {first.name} the {first.owner}'s: on "
                "one node both would run a device plugin and install the CNI plugin sriov",
                "give all policies of a class one owner, or nodes with the other owner a class of their own",
            )
            return


def _labels(path: Path, labels: Mapping[str, str]) -> Iterator[Problem]:
    for key in sorted(set(labels) & set(_OURS)):
        yield Problem((*path, key), f"{key} is set by what the site file says of the node", "take it out")
