"""What nodes are while they are measured, and whether they are emulated."""

from __future__ import annotations

from collections.abc import Sequence

from gedge_provision.models.cluster import Manifest
from gedge_provision.models.perf import NodeFacts
from gedge_provision.models.site import Site
from gedge_provision.planning.inventory import EMULATED_LABEL

__all__ = ["FACTS_SCRIPT", "emulation", "node_facts", "read_facts"]

_SETTINGS = (
    "cpuManagerPolicy",
    "cpuManagerPolicyOptions",
    "reservedSystemCPUs",
    "topologyManagerPolicy",
    "topologyManagerScope",
    "memoryManagerPolicy",
    "kubeReserved",
    "systemReserved",
)
FACTS_SCRIPT = """\
sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1
sed -n 's/^Cpus_allowed_list:[^0-9]*//p' /proc/self/status
cat /sys/class/net/{interface}/mtu 2>/dev/null || echo 0
"""
"""What a pod tells of its CPUs and of the MTU of an interface: three lines."""


def read_facts(output: str) -> tuple[str, str, int]:
    """Return CPU model, CPUs that the pod may run on, and MTU from what FACTS_SCRIPT printed."""
    model, cpus, mtu = [*output.splitlines(), "", "", ""][:3]
    return model.strip(), cpus.strip(), int(mtu) if mtu.strip().isdigit() else 0


def node_facts(node: Manifest, kubelet: Manifest, cpu_model: str = "") -> NodeFacts:
    """Return what is kept of a node."""
    info = node["status"].get("nodeInfo", {})
    addresses = [one["address"] for one in node["status"].get("addresses", []) if one["type"] == "InternalIP"]
    return NodeFacts(
        name=node["metadata"]["name"],
        address=addresses[0] if addresses else "",
        kernel=info.get("kernelVersion", ""),
        os=info.get("osImage", ""),
        kubelet=info.get("kubeletVersion", ""),
        runtime=info.get("containerRuntimeVersion", ""),
        cpu_model=cpu_model,
        cpus=node["status"].get("capacity", {}).get("cpu", ""),
        emulated=node["metadata"].get("labels", {}).get(EMULATED_LABEL) == "true",
        kubelet_settings={key: _text(kubelet[key]) for key in _SETTINGS if kubelet.get(key)},
    )


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={part}" for key, part in sorted(value.items()))
    return str(value)


def emulation(site: Site, nodes: Sequence[NodeFacts]) -> str:
    """Return why the figures say nothing about real hardware; empty when nothing speaks against them."""
    reasons = []
    emulated = sorted({node.name for node in nodes if node.emulated})
    if emulated:
        reasons.append(f"emulated hardware ({', '.join(emulated)})")
    if site.lab is not None:
        reasons.append("a lab on one machine")
    return ", ".join(reasons)
