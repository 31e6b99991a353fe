"""Promises of each node's kubelet, judged by the configuration that it runs with."""

from __future__ import annotations

from collections.abc import Mapping

from gedge_provision.planning.verification._promise import NodeLook, Promise, Verdict

__all__ = ["FIELDS", "KUBELET"]

_REMEDY = "put it right: gedge apply --kubelet-restart-ok"

FIELDS = {
    "cpuManagerPolicy": ("kubelet-cpu-manager-policy", "CPU manager policy"),
    "cpuManagerPolicyOptions": ("kubelet-cpu-manager-policy-options", "options of the CPU manager policy"),
    "reservedSystemCPUs": ("kubelet-reserved-system-cpus", "CPUs reserved for the system"),
    "topologyManagerPolicy": ("kubelet-topology-manager-policy", "topology manager policy"),
    "topologyManagerScope": ("kubelet-topology-manager-scope", "topology manager scope"),
    "topologyManagerPolicyOptions": (
        "kubelet-topology-manager-policy-options",
        "options of the topology manager policy",
    ),
    "memoryManagerPolicy": ("kubelet-memory-manager-policy", "memory manager policy"),
    "reservedMemory": ("kubelet-reserved-memory", "memory reserved on NUMA nodes"),
    "kubeReserved": ("kubelet-kube-reserved", "reservation for Kubernetes"),
    "systemReserved": ("kubelet-system-reserved", "reservation for the system"),
    "maxPods": ("kubelet-max-pods", "most pods"),
}
"""Fields of KubeletConfiguration that a class decides, with the id and the words of their check."""

# Left out where it is not asked for: the kubelet's own default is promised.
_DEFAULTS = {"memoryManagerPolicy": "None"}


def _wanted(look: NodeLook, field: str) -> object:
    return look.promised_kubelet.get(field, _DEFAULTS.get(field))


def _setting(field: str) -> Promise[NodeLook]:
    name, words = FIELDS[field]

    def text(look: NodeLook) -> str:
        wanted = _wanted(look, field)
        return f"{words} {_shown(wanted)}" if wanted is not None else words

    def judge(look: NodeLook) -> Verdict:
        found = look.kubelet.get(field)
        return Verdict(found == _wanted(look, field), f"{field} runs as {_shown(found)}")

    def left_open(look: NodeLook) -> str:
        return f"class {look.node.node_class} leaves it open" if _wanted(look, field) is None else ""

    meaning = f"The running kubelet has the {words} of its class (`{field}`)."
    if field in _DEFAULTS:
        meaning = f"The running kubelet has the {words} of its class, `{_DEFAULTS[field]}` by default (`{field}`)."
    return Promise(name, "kubelet", meaning, _REMEDY, "kubelet", text, judge, left_open)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={entry}" for key, entry in sorted(value.items())) or "nothing"
    return "nothing" if value is None else str(value)


def _domain(look: NodeLook) -> Verdict:
    found = look.kubelet.get("clusterDomain", "nothing")
    return Verdict(found == look.site.networks.dns_domain, f"clusterDomain runs as {found}")


def _dns(look: NodeLook) -> Verdict:
    address = look.snapshot.cluster_ip("kube-system", "kube-dns")
    found = [str(entry) for entry in look.kubelet.get("clusterDNS", [])]
    kept = bool(address) and found == [address]
    return Verdict(
        kept, f"clusterDNS runs as {', '.join(found) or 'nothing'}, Service kube-dns is {address or 'missing'}"
    )


KUBELET: tuple[Promise[NodeLook], ...] = (
    *(_setting(field) for field in FIELDS),
    Promise(
        "kubelet-cluster-domain", "kubelet", "The running kubelet gives pods the DNS domain of the site file.",
        _REMEDY, "kubelet",
        lambda look: f"DNS domain {look.site.networks.dns_domain}", _domain,
    ),
    Promise(
        "kubelet-cluster-dns", "kubelet", "The running kubelet sends pods to the address of the Service `kube-dns`.",
        _REMEDY, "kubelet",
        lambda _: "pods ask the Service kube-dns", _dns,
    ),
)  # fmt: skip
