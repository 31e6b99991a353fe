"""Snapshots of a guest: saved, put back and removed by its running QEMU, in its disk file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gedge_provision.adapters import qmp
from gedge_provision.adapters.processes import run

__all__ = ["delete", "image_info", "load", "save", "version"]

# The guest stands still meanwhile, and QEMU answers nobody: the disk of a busy host takes its time for 4 GiB.
_LIMIT_S = 300


def image_info(argv: Sequence[str], disk: Path) -> dict[str, Any]:
    """Return what qemu-img tells of a disk, snapshots included, also while a guest uses it.

    Args:
        argv: the command line of qemu-img.
        disk: the disk.
    """
    found: dict[str, Any] = json.loads(run([*argv, "info", "--force-share", "--output=json", str(disk)]).stdout)
    return found


def version(monitor: Path) -> dict[str, Any]:
    """Return what QEMU says of its version."""
    found: dict[str, Any] = qmp.tell(monitor, "query-version")
    return found


def save(monitor: Path, drive: str, tag: str) -> None:
    """Save disk, memory and devices of a running guest, which stands still meanwhile and goes on.

    Raises:
        GedgeError: QEMU cannot; with what it says. The guest goes on.
    """
    node = _block_node(monitor, drive)
    qmp.run_job(monitor, "snapshot-save", _LIMIT_S, tag=tag, vmstate=node, devices=[node])


def load(monitor: Path, drive: str, tag: str) -> None:
    """Put disk, memory and devices back; the guest goes on from there.

    Raises:
        GedgeError: QEMU cannot; with what it says. The guest stands still, and its disk may be the one put back.
    """
    node = _block_node(monitor, drive)
    qmp.run_job(monitor, "snapshot-load", _LIMIT_S, tag=tag, vmstate=node, devices=[node])
    qmp.tell(monitor, "cont")  # one that stood still before does after, too


def delete(monitor: Path, drive: str, tag: str) -> None:
    """Remove a snapshot; the room it took is used again.

    Raises:
        GedgeError: QEMU cannot; with what it says.
    """
    qmp.run_job(monitor, "snapshot-delete", _LIMIT_S, tag=tag, devices=[_block_node(monitor, drive)])


def _block_node(monitor: Path, drive: str) -> str:
    """Return what QEMU calls the disk in a drive: it makes up a name at each start."""
    drives = {found["device"]: found["inserted"] for found in qmp.tell(monitor, "query-block") if "inserted" in found}
    return str(drives[drive]["node-name"])
