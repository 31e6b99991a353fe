"""The character devices through which programs use RDMA, and whether pods can be given them."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Verbs"]


@dataclass(frozen=True)
class Verbs:
    """The devices of this node.

    Args:
        folder: /dev/infiniband.
        sysfs: /sys, or where it is mounted.
    """

    folder: Path
    sysfs: Path

    def problem(self) -> str:
        """Say why pods cannot get software RDMA on this node; empty when they can."""
        hardware = self._hardware()
        if hardware:
            # A pod gets every device of the folder, since its own link is made after the kubelet has asked for it.
            return (
                f"this node has RDMA hardware ({', '.join(hardware)}), which pods with software RDMA could open -> "
                "use the RDMA shared device plugin here"
            )
        manager = self.folder / "rdma_cm"
        try:
            present = stat.S_ISCHR(manager.stat().st_mode)
        except OSError:
            present = False
        return "" if present else f"{manager} is missing -> load the kernel modules rdma_rxe, rdma_ucm and ib_uverbs"

    def _hardware(self) -> list[str]:
        """Return the RDMA devices with a parent; those of rxe and siw are virtual and have none."""
        return sorted(link.parent.name for link in self.sysfs.glob("class/infiniband/*/device"))
