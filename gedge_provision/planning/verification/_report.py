"""All promises, and the report on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from gedge_provision.models.host_networks import HostNetworks
from gedge_provision.models.plan import Plan
from gedge_provision.models.probes import Probes
from gedge_provision.models.site import Node, Site
from gedge_provision.models.snapshot import ClusterSnapshot
from gedge_provision.models.topology import Topology
from gedge_provision.models.verification import Check, Counts, Report, Status
from gedge_provision.planning.features import GPU, GSE_API_SERVER, METRICS_SERVER, MULTUS, site_features
from gedge_provision.planning.gpu_stack import Finding
from gedge_provision.planning.verification._attachments import NODE_ATTACHMENTS
from gedge_provision.planning.verification._cluster import CLUSTER
from gedge_provision.planning.verification._control_plane import CONTROL_PLANE
from gedge_provision.planning.verification._definitions import CLUSTER_ATTACHMENTS
from gedge_provision.planning.verification._emulated_gpus import GPUS
from gedge_provision.planning.verification._gpu_stack import CLUSTER_GPU
from gedge_provision.planning.verification._gse_api_server import CLUSTER_GSE
from gedge_provision.planning.verification._host import HOST
from gedge_provision.planning.verification._kubelet import KUBELET
from gedge_provision.planning.verification._metrics import CLUSTER_METRICS
from gedge_provision.planning.verification._network import CLUSTER_NETWORK, NODE_NETWORK
from gedge_provision.planning.verification._node import NODE
from gedge_provision.planning.verification._probes import PROBES
from gedge_provision.planning.verification._promise import Look, NodeLook, Promise
from gedge_provision.planning.verification._sriov import SRIOV

__all__ = ["CLUSTER_PROMISES", "NODE_PROMISES", "make_report", "runs_on"]

CLUSTER_PROMISES: tuple[Promise[Look], ...] = (
    *CLUSTER,
    *CLUSTER_NETWORK,
    *CLUSTER_METRICS,
    *CLUSTER_GSE,
    *CLUSTER_GPU,
    *CLUSTER_ATTACHMENTS,
    *PROBES,
)
"""What is promised of a cluster, once."""

NODE_PROMISES: tuple[Promise[NodeLook], ...] = (
    *NODE,
    *KUBELET,
    *CONTROL_PLANE,
    *NODE_NETWORK,
    *SRIOV,
    *NODE_ATTACHMENTS,
    *GPUS,
    *HOST,
)
"""What is promised of each node."""

AnyLook = TypeVar("AnyLook", bound=Look)


def runs_on(promise: Promise[AnyLook], site: Site, node: Node | None = None) -> bool:
    """Tell whether a promise is of this site, or node.

    Those of the control plane are of its nodes, those of virtual functions and of emulated GPUs of nodes whose class
    has some, those of attachments of sites with secondary networks, those of the GPU operator, of metrics and of the
    GSE API server of sites that have them.
    """
    features = {"metrics": METRICS_SERVER, "gpu": GPU, "attachments": MULTUS, "gse": GSE_API_SERVER}
    if promise.concern in features:
        return features[promise.concern] in site_features(site)
    if promise.concern == "sriov" and node is not None:
        return any(policy.owner == "host" for policy in site.node_classes[node.node_class].sriov)
    if promise.concern == "emulated gpus" and node is not None:
        return bool(site.node_classes[node.node_class].emulated_gpus)
    return promise.concern != "control plane" or node is None or "control_plane" in node.roles


def make_report(  # noqa: PLR0913 - what a report is made of
    site: Site,
    site_sha256: str,
    plan: Plan,
    snapshot: ClusterSnapshot,
    *,
    runtime_version: str,
    host_problems: Mapping[str, str] | None = None,
    networks: Mapping[str, HostNetworks] | None = None,
    probes: Probes | None = None,
    topologies: Mapping[str, Topology] | None = None,
    gpu: Sequence[Finding] = (),
) -> Report:
    """Judge every promise; the same input gives the same report, byte for byte.

    Args:
        site: the site.
        site_sha256: digest of the file that it was read from.
        plan: what an apply would change, as check mode found.
        snapshot: what the cluster shows.
        runtime_version: version of the container runtime in the catalog, with the v.
        host_problems: why a host could not be looked at, by host; the plan says nothing of it then.
        networks: what hosts show of network cards and secondary networks, by host.
        probes: what probe pods found, when they were asked for.
        topologies: what hosts tell of their topology, by host; of those whose CPUs are planned.
        gpu: what is not well of the GPU operator's stack.
    """
    seen = (site, plan, snapshot, runtime_version, host_problems or {}, networks or {}, probes, topologies or {}, gpu)
    look = Look(*seen)
    checks = [_check(promise, look, "") for promise in CLUSTER_PROMISES if runs_on(promise, site)]
    for node in site.nodes:
        node_look = NodeLook(*seen, node)
        checks += [_check(promise, node_look, node.name) for promise in NODE_PROMISES if runs_on(promise, site, node)]
    return Report(
        site=site.name,
        site_sha256=site_sha256,
        cluster_version=snapshot.version,
        checked_at=snapshot.taken,
        counts=_counts(checks),
        checks=tuple(checks),
    )


_LONGEST = 400


def _check(promise: Promise[AnyLook], look: AnyLook, node: str) -> Check:
    status: Status
    remedy = promise.remedy
    if open_because := promise.left_open(look):
        status, evidence = "not-applicable", open_because
    elif lacking := look.lacking(promise.needs):
        status = "fail"
        evidence, remedy = lacking
    else:
        kept, evidence, own_remedy = promise.judge(look)
        status, remedy = "pass" if kept else "fail", own_remedy or remedy
    return Check(
        id=promise.id,
        node=node,
        concern=promise.concern,
        promise=promise.text(look),
        status=status,
        evidence=_one_line(evidence),
        remedy=remedy if status == "fail" else "",
    )


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


def _counts(checks: Sequence[Check]) -> Counts:
    found = [check.status for check in checks]
    return Counts(passed=found.count("pass"), failed=found.count("fail"), not_applicable=found.count("not-applicable"))
