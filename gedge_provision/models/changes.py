"""What a run does to one thing: the same words in a plan, in a run's record, in drift and for services."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["REACHABLE", "Change", "Difference"]

REACHABLE = "reachable"
"""The concern of hosts that cannot be reached."""


@dataclass(frozen=True, order=True)
class Change:
    """Something that is made, changed or removed on a host or in the cluster.

    Attributes:
        kind: file, folder, unit, nic (virtual functions of a network card), sysctl, kernel_module, kernel_argument,
            host (its reboot), tuning, huge_pages, setting (of a kubelet), package, binary, chart, cni_plugin, image,
            node, annotation, label, taint, kubeconfig, Release (of helm), or the kind of a Kubernetes object, which
            has a capital.
        name: path, unit, key=value, name, namespace/name, or node and label (taint) as kubectl writes them.
        action: create, change, remove, install, start, restart, ... (of a plan), created, changed, ... (of a service).
        by: who else changed it since, and when, where the cluster tells; not a part of what a change is.
    """

    kind: str
    name: str
    action: str
    by: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.name}"

    @property
    def differs(self) -> bool:
        """Whether anything is made, changed or removed."""
        return self.action != "unchanged"

    @property
    def of_cluster(self) -> bool:
        """Whether it is made in the cluster, not on the host through which it is made."""
        return self.kind[:1].isupper() or self.kind in ("annotation", "label", "taint") or self.action == "uncordon"


@dataclass(frozen=True, order=True)
class Difference:
    """Something of a running node that is not as the site file asks.

    Attributes:
        node: its name; empty when the API server does not answer.
        concern: api, ready, version, label, kubelet, daemon (a pod of a DaemonSet), resource (what the node offers),
            unknown (no node of the site) or reachable.
        message: what differs.
    """

    node: str
    concern: str
    message: str
