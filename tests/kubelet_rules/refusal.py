"""A row of what a kubelet refuses, and settings that it takes."""

from __future__ import annotations

from typing import Any, NamedTuple

from machines import TWO_NODES


class Refused(NamedTuple):
    """A row: `mended` are the changes that the remedy asks for."""

    fields: dict[str, Any]
    kubelet: str
    ours: str
    mended: dict[str, Any]
    machine: str = TWO_NODES


STATIC: dict[str, Any] = {"cpuManagerPolicy": "static", "kubeReserved": {"cpu": "500m"}}
MEMORY: dict[str, Any] = {"memoryManagerPolicy": "Static", "kubeReserved": {"memory": "412Mi"}}
