"""What the host of a lab has and holds."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

__all__ = ["Holder", "HostFacts"]


@dataclass(frozen=True)
class Holder:
    """A range of addresses that something on this host uses."""

    network: IPv4Network
    what: str


@dataclass(frozen=True)
class HostFacts:
    """What decides about podman's settings.

    Attributes:
        cgroup_version: 1 also stands for the hybrid layout.
        runtimes: OCI runtimes that are installed.
        hard_nofile: hard limit of open files.
        hard_nproc: hard limit of processes.
        pid_max: the kernel's limit of process ids.
        may_raise_limits: whether CAP_SYS_RESOURCE is there.
    """

    cgroup_version: Literal[1, 2]
    runtimes: frozenset[str]
    hard_nofile: int
    hard_nproc: int
    pid_max: int
    may_raise_limits: bool
