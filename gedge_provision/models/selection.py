"""What a run is limited to: some hosts, some concerns."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CONCERNS", "Selection"]

CONCERNS = {
    "host": "packages, kernel settings and modules, swap, clock",
    "artifacts": "programs, charts, CNI plugins, images",
    "runtime": "containerd and its registry mirrors",
    "kubelet": "unit and settings of the kubelet; huge pages that a joined node gets while it runs",
    "kernel": "kernel arguments, and the reboot that they need",
    "tuning": "interrupts, system services and kernel settings of planned hosts",
    "sriov": "virtual functions of network cards",
    "endpoint": "virtual address of the API server",
    "cluster": "nodes that join or leave",
    "network": "flannel and the nodes' pod networks",
    "attachments": "Multus, device plugin, secondary networks of pods",
    "metrics": "metrics-server, by which services scale",
    "gse": "the GSE API server",
    "nodes": "labels and taints",
    "gpu": "the GPU operator, the look at GPUs of hosts, the device plugin of emulated ones",
    "kubeconfig": "the administrator's kubeconfig on this machine",
}
"""Concern: what it is; each is a tag of playbooks/site.yml."""


@dataclass(frozen=True)
class Selection:
    """What a run is limited to; empty means all.

    Attributes:
        hosts: node names.
        concerns: keys of CONCERNS.
    """

    hosts: tuple[str, ...] = ()
    concerns: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.hosts and not self.concerns
