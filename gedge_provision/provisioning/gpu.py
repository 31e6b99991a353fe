"""What the GPU operator is told of a site, and how its stack is."""

from __future__ import annotations

from pathlib import Path

from gedge_provision.adapters.gpu_versions import load_gpu_versions
from gedge_provision.adapters.kube import Kube, KubeError, NotFoundError
from gedge_provision.models.cluster import (
    CLUSTER_POLICY,
    DAEMON_SET,
    EVENT,
    GPU_CLUSTER,
    NODE,
    POD,
    RUNTIME_CLASS,
    Kind,
    Manifest,
)
from gedge_provision.models.errors import UsageError
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu import NAMESPACE, GpuPlan, plan_gpus
from gedge_provision.planning.gpu_labels import gpu_section
from gedge_provision.planning.gpu_stack import Finding, diagnose, read_look, suspects
from gedge_provision.provisioning.sites import containerd_version, load_site

__all__ = ["gpu_findings", "gpu_plan"]

_LINES = 20


def gpu_plan(site_path: Path) -> GpuPlan:
    """Return the values of the GPU operator's chart and the labels of nodes that a site file asks for.

    Raises:
        DocumentError: the site file is wrong.
        UsageError: no node has a GPU for the operator.
    """
    site = load_site(site_path)
    try:
        return plan_gpus(site, load_gpu_versions(), containerd_version())
    except UsageError as error:
        raise UsageError(error.message, place=f"{site_path}: {error.place}", remedy=error.remedy) from error


def gpu_findings(kube: Kube, site: Site) -> tuple[Finding, ...]:
    """Return what is not well of the GPU operator's stack, on nodes on which it has found a GPU.

    Raises:
        KubeError: the cluster does not answer.
    """
    items = [item for kind in (DAEMON_SET, POD, EVENT) for item in kube.find(kind, NAMESPACE)]
    items += [item for kind in (NODE, RUNTIME_CLASS) for item in kube.find(kind)]
    items += [item for kind in (CLUSTER_POLICY, GPU_CLUSTER) for item in _all(kube, kind)]
    look = read_look(items)
    logs = {(pod, container): _log(kube, pod, container, former) for pod, container, former in suspects(look)}
    return diagnose(look, (), logs, resources=gpu_section(site).allocation == "device-plugin")


def _all(kube: Kube, kind: Kind) -> list[Manifest]:
    """Return all objects of a kind; none where no chart has defined it."""
    try:
        return kube.find(kind)
    except NotFoundError:
        return []


def _log(kube: Kube, pod: str, container: str, former: bool) -> str:
    for previous in (True, False) if former else (False,):
        try:
            return kube.pod_log(NAMESPACE, pod, container, lines=_LINES, previous=previous)
        except KubeError:  # a container that has not run has no log
            continue
    return ""
