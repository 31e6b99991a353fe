"""What a node is now, in one line."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NodeSummary"]


@dataclass(frozen=True)
class NodeSummary:
    """A node of the site file beside what the cluster says of it; unknown values are empty.

    `state` is ready, not ready: REASON, or missing; a node that is `cordoned` takes no new pods. `cpu_capacity` and
    `cpu_allocatable` are quantities as the node reports them; `cpu_manager_policy` is that of the running kubelet.
    """

    name: str
    address: str
    roles: tuple[str, ...]
    node_class: str
    state: str
    version: str = ""
    cpu_capacity: str = ""
    cpu_allocatable: str = ""
    cpu_manager_policy: str = ""
    cordoned: bool = False
