"""Values of the chart for the device plugin: device files for static CPUs, a configuration for each way to share."""

from __future__ import annotations

from typing import Any

import yaml

from gedge_provision.models.gpu import GpuSharing
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu_labels import gpu_section, served_classes, served_nodes

__all__ = ["device_plugin"]

_CONFIG_MAP = "gedge-device-plugin"
_PLAIN = "no.sharing"  # no name of a node class: those have no dot
_MODES = {"time-slicing": "timeSlicing", "mps": "mps"}


def device_plugin(site: Site) -> dict[str, Any]:
    """Return the values below devicePlugin."""
    values: dict[str, Any] = {"enabled": True}
    passed = _pass_device_specs(site)
    if passed is not None:
        # The operator's DaemonSet sets this variable, and the plugin lets variables count more than its configuration.
        values["env"] = [{"name": "PASS_DEVICE_SPECS", "value": str(passed).lower()}]
    shared = {name: intent.sharing for name, intent in served_classes(site).items() if intent.sharing is not None}
    if shared:
        values["config"] = {
            "create": True,
            "name": _CONFIG_MAP,
            "default": _PLAIN,
            "data": {_PLAIN: _configuration(site)}
            | {name: _configuration(site, sharing) for name, sharing in shared.items()},
        }
    return values


def _pass_device_specs(site: Site) -> bool | None:
    """Return whether the plugin names device files; None leaves it to the operator.

    With static CPUs the kubelet writes the device rules of a container's cgroup anew, from what the plugin named
    (k8s-device-plugin, README, PASS_DEVICE_SPECS).
    """
    asked = gpu_section(site).pass_device_specs
    return asked if asked is not None else True if any(site.owns_cpus(node) for node in served_nodes(site)) else None


def _configuration(site: Site, sharing: GpuSharing | None = None) -> str:
    """Return a configuration of the device plugin, in its own words (k8s-device-plugin, README)."""
    made: dict[str, Any] = {
        "version": "v1",
        "flags": {"migStrategy": gpu_section(site).mig_strategy or "single"},
    }
    if sharing is not None:
        words: dict[str, Any] = {"renameByDefault": sharing.rename}
        if sharing.mode == "time-slicing":
            words["failRequestsGreaterThanOne"] = sharing.one_each is not False
        words["resources"] = [{"name": name, "replicas": count} for name, count in sharing.replicas.items()]
        made["sharing"] = {_MODES[sharing.mode]: words}
    return str(yaml.safe_dump(made, sort_keys=False))
