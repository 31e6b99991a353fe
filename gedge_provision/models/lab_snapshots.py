"""Snapshots of emulated nodes: a guest's disk, memory and devices at a moment, kept in its disk file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["DEFAULT_NAME", "LabSnapshot", "Origin"]

DEFAULT_NAME = "saved"


@dataclass(frozen=True)
class Origin:
    """What a guest must have in common with one that puts its state back.

    Attributes:
        version: of QEMU: the state of devices is laid out by each as it likes.
        machine: digest of its command line: processors, memory and devices.
    """

    version: str
    machine: str


@dataclass(frozen=True)
class LabSnapshot:
    """A snapshot as found.

    Attributes:
        name: what people call it.
        made_at: when, by the clock of the host.
        memory_bytes: size of memory and devices in it; of the disk it holds what was overwritten since.
        origin: the guest that it was made of.
    """

    name: str
    made_at: datetime
    memory_bytes: int
    origin: Origin
