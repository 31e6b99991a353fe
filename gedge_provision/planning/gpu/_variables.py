"""Variables of the role gpu_operator."""

from __future__ import annotations

from typing import Any

from gedge_provision.models.site import Site
from gedge_provision.planning.gpu._plan import GpuPlan
from gedge_provision.planning.gpu_labels import gpu_section

__all__ = ["role_variables"]


def role_variables(site: Site, plan: GpuPlan) -> dict[str, Any]:
    """Return what the role is told of a site; those of one host are in its inventory."""
    section = gpu_section(site)
    return {
        "gpu_operator_version": plan.version,
        "gpu_operator_chart_server": section.chart_server or "",
        "gpu_operator_values": dict(plan.values),
        "gpu_operator_resources": section.allocation == "device-plugin",
        "gpu_operator_timeout_s": section.timeout_s,
    }
