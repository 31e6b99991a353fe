"""What an apply would change of RDMA, from what is remembered: kernel modules, and the objects of device plugins. Pure.

Labels, artifacts and definitions of networks are those of every part, and planned with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gedge_provision.models.changes import Change
from gedge_provision.planning.features import SOFT_RDMA

__all__ = ["MODULES", "SOFT_OBJECTS", "module_changes", "rdma_objects", "shared_changes", "shared_objects"]

MODULES = ("ib_uverbs", "rdma_rxe", "rdma_ucm")
"""Kernel modules of software RDMA, as the role host_prepare has them; a test holds them equal."""
SOFT_OBJECTS = (
    "DaemonSet kube-system/soft-rdma-device-plugin",
    "ServiceAccount kube-system/soft-rdma-device-plugin",
)
"""What the role soft_rdma_device_plugin applies; a test holds it equal to its template."""
_MODULES_FILE = "/etc/modules-load.d/gedge.conf"
_SHARED = "kube-system/rdma-shared-device-plugin"
_SHARED_IMAGE = "rdma_shared_device_plugin_image"


def module_changes(made: Sequence[Change], old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what changes of a host's kernel modules, in the order of a run.

    A host may have them by itself, which is not remembered: they are announced then too. What a host has not got from
    us is not unloaded. Whether pods still have links (the modules then stay for a while) is not seen.

    Args:
        made: what was made on the host.
        old: its variables when it was applied last.
        new: its variables now.
    """
    had, has = (bool(variables["host_prepare_rdma"]["soft"]) for variables in (old, new))
    if had == has:
        return
    ours = {change.name for change in made if change.kind == "kernel_module" and change.action == "load"}
    action = "load" if has else "unload"
    yield from (Change("kernel_module", name, action) for name in MODULES if (name in ours) != has)
    yield Change("file", _MODULES_FILE, "change")


def rdma_objects(variables: Mapping[str, Any]) -> list[str]:
    """Return the objects of the device plugins for RDMA, from the variables of the site."""
    classes = [found["name"] for found in _classes(variables)]
    soft = SOFT_OBJECTS if SOFT_RDMA in variables.get("gedge_features", []) else ()
    return [*shared_objects(classes), *soft]


def shared_objects(classes: Sequence[str]) -> list[str]:
    """Return what the role rdma_shared_device_plugin applies for classes of nodes."""
    if not classes:
        return []
    found = [f"{kind} {_SHARED}-{name}" for kind in ("ConfigMap", "DaemonSet") for name in classes]
    return [*found, f"ServiceAccount {_SHARED}"]


def shared_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what changes of device plugins that stay: one reads its configuration when it starts."""
    had, has = ({found["name"]: found["configuration"] for found in _classes(variables)} for variables in (old, new))
    other = sorted(name for name in has if name in had and had[name] != has[name])
    yield from (Change("ConfigMap", f"{_SHARED}-{name}", "change") for name in other)
    if old.get(_SHARED_IMAGE) != new.get(_SHARED_IMAGE):
        other = sorted(set(had) & set(has))
    yield from (Change("DaemonSet", f"{_SHARED}-{name}", "change") for name in other)


def _classes(variables: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = variables.get("rdma_shared_device_plugin_classes", [])
    return found
