"""What an apply would change of kernel arguments, from what is remembered. Pure.

Arguments that a host's owner gives by himself are not remembered: they are announced too. Whether a host needs some for
its IOMMU, or against nouveau, only the host knows: those that it got are remembered, and those that a first policy of
the device type vfio-pci, or a first GPU, would bring are not announced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gedge_provision.models.changes import Change

__all__ = [
    "BLACKLIST",
    "GRUB_CFG",
    "INTEL_ARGUMENTS",
    "SETTINGS",
    "is_kernel_change",
    "kernel_changes",
    "new_kernel_changes",
]

SETTINGS = "/etc/default/grub.d/90-gedge.cfg"
GRUB_CFG = "/boot/grub/grub.cfg"
INTEL_ARGUMENTS = ("intel_iommu=on", "iommu=pt")
"""As the module `kernel_arguments` has them; a test holds them equal."""
BLACKLIST = "modprobe.blacklist=nouveau"
"""As the module `gpu_host` has it, where the GPU operator installs the driver; a test holds them equal."""


def kernel_changes(
    host: str, made: Sequence[Change], old: Mapping[str, Any], new: Mapping[str, Any], *, drain: bool
) -> Iterator[Change]:
    """Yield what changes on a node that has joined, in the order of a run.

    Args:
        host: its name.
        made: what was made on it.
        old: its variables when it was applied last.
        new: its variables now.
        drain: whether nodes are drained before they reboot.
    """
    switched = ("kernel_arguments_list", "kernel_arguments_iommu", "gpu_operator_driver")
    if all(old[name] == new[name] for name in switched):
        return
    ours = any((change.kind, change.name) == ("file", SETTINGS) for change in made)
    former = _asked(made, old) if ours else []
    changes = list(_changes(host, former, _asked(made, new)))
    if changes and drain:
        yield Change("node", host, "drain")
    yield from changes


def new_kernel_changes(host: str, made: Sequence[Change], new: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what is made on a host that becomes a node.

    Args:
        host: its name.
        made: what was made on a host of its kind.
        new: the variables of the host.
    """
    yield from _changes(host, [], _asked(made, new))


def is_kernel_change(change: Change) -> bool:
    """Tell whether something that was made belongs to kernel arguments."""
    return change.kind == "kernel_argument" or (change.kind, change.name) == ("file", SETTINGS)


def _asked(made: Sequence[Change], variables: Mapping[str, Any]) -> list[str]:
    """Return the arguments that are asked for, and those that the host, or one of its kind, got by what it is."""
    wanted = list(variables["kernel_arguments_list"])
    got = {change.name for change in made if change.kind == "kernel_argument"}
    keys = {argument.partition("=")[0] for argument in wanted}
    if variables["gpu_operator_driver"] == "operator" and BLACKLIST in got and BLACKLIST not in wanted:
        wanted.append(BLACKLIST)
    if not variables["kernel_arguments_iommu"]:
        return wanted
    return wanted + [one for one in INTEL_ARGUMENTS if one in got and one.partition("=")[0] not in keys]


def _changes(host: str, former: Sequence[str], given: Sequence[str]) -> Iterator[Change]:
    if former == given:
        return
    yield from (Change("kernel_argument", one, "remove") for one in former if one not in given)
    yield from (Change("kernel_argument", one, "add") for one in given if one not in former)
    yield Change("file", SETTINGS, "create" if not former else "change" if given else "remove")
    yield Change("file", GRUB_CFG, "change")
    yield Change("host", host, "reboot")
