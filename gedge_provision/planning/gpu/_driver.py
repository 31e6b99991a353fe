"""Values of the chart for the driver."""

from __future__ import annotations

from typing import Any

from gedge_provision.models.gpu_versions import OperatorRow
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu_labels import gpu_section, served_classes

__all__ = ["driver"]


def driver(site: Site, row: OperatorRow) -> dict[str, Any]:
    """Return the values below driver."""
    section = gpu_section(site)
    managed = [intent for intent in served_classes(site).values() if intent.driver == "operator"]
    if not managed:
        return {"enabled": False}
    values: dict[str, Any] = {
        "enabled": True,
        "version": section.driver.version or row.drivers.default,
        "kernelModuleType": section.driver.kernel_modules,
    }
    access = next((intent.gpudirect_rdma for intent in managed if intent.gpudirect_rdma), None)
    if access:
        # The drivers of network cards are the hosts': no document of ours has the network operator install them.
        values["rdma"] = {"enabled": access == "nvidia-peermem", "useHostMofed": True}
    if section.allocation == "dra":
        values["nvidiaDriverCRD"] = {"enabled": True}  # a GPUCluster has no driver of its own
    else:
        # The chart lets one driver change at a time, whatever may be unavailable; 0 leaves it to the other.
        values["upgradePolicy"] = {"maxParallelUpgrades": 0, "maxUnavailable": _most(site.rollout.max_unavailable)}
    return values


def _most(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
