"""The whole plan: version, values of the chart, labels of nodes, and what a person should know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gedge_provision.models.errors import UsageError
from gedge_provision.models.gpu_versions import GpuVersions, OperatorRow
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu._device_plugin import device_plugin
from gedge_provision.planning.gpu._driver import driver
from gedge_provision.planning.gpu._mig import mig_manager
from gedge_provision.planning.gpu._tolerations import tolerations
from gedge_provision.planning.gpu_labels import gpu_labels, gpu_section, served_classes
from gedge_provision.planning.gpu_matches import containerd_remark, remarks_of

__all__ = ["CHART", "NAMESPACE", "GpuPlan", "plan_gpus"]

CHART = "gpu-operator"
"""The chart's name, there and in the artifact catalog."""
NAMESPACE = "gpu-operator"


@dataclass(frozen=True)
class GpuPlan:
    """What installs the GPUs of a site.

    Attributes:
        version: the operator's version; its chart has it with a v.
        values: the values of its chart.
        labels: labels of nodes, by node, that the operator reads; only of nodes that have some.
        remarks: what a person should know, a sentence each.
    """

    version: str
    values: Mapping[str, Any]
    labels: Mapping[str, Mapping[str, str]]
    remarks: tuple[str, ...]


def plan_gpus(site: Site, versions: GpuVersions, containerd: str) -> GpuPlan:
    """Return what installs the GPUs of a site.

    Args:
        site: a site that was checked (site_checks, gpu_version_checks).
        versions: the table of operators.
        containerd: the version that the site's nodes get.

    Raises:
        UsageError: no node has a GPU for the operator.
    """
    section = gpu_section(site)
    row = versions.operator(section.version)
    if not served_classes(site) or row is None:
        raise UsageError(
            "no node of this site has a GPU for the operator",
            place="node_classes",
            remedy="add gpu to a class that nodes have, with a driver that is not none",
        )
    labels = {node.name: gpu_labels(site, node) for node in site.nodes}
    return GpuPlan(
        version=section.version,
        values=_values(site, row),
        labels={name: found for name, found in labels.items() if found},
        remarks=tuple(_remarks(site, versions, row, containerd)),
    )


def _values(site: Site, row: OperatorRow) -> dict[str, Any]:
    section = gpu_section(site)
    values: dict[str, Any] = {"nfd": {"enabled": True}, **tolerations(site)}
    values["daemonsets"] = values.get("daemonsets", {}) | {
        "rollingUpdate": {"maxUnavailable": site.rollout.max_unavailable}
    }
    values["driver"] = driver(site, row)
    if section.allocation == "dra":
        values |= {
            "clusterPolicy": {"deployCR": False},
            "gpuCluster": {"deployCR": True},
            "draDriver": {"computeDomains": {"enabled": bool(section.compute_domains)}},
        }
    else:
        version = {"version": f"v{section.toolkit.version}"} if section.toolkit.version else {}
        values |= {
            "cdi": {"enabled": section.cdi, "nriPluginEnabled": section.toolkit.nri},
            "toolkit": {"enabled": True} | version,
            "devicePlugin": device_plugin(site),
            "mig": {"strategy": section.mig_strategy or "single"},
            "migManager": mig_manager(site),
            "gfd": {"enabled": section.feature_discovery is not False},
        }
    values["dcgmExporter"] = {"enabled": section.dcgm_exporter}
    return values


def _remarks(site: Site, versions: GpuVersions, row: OperatorRow, containerd: str) -> Iterator[str]:
    told = containerd_remark(row, containerd)
    if told:
        yield told
    yield from remarks_of(site, versions)
