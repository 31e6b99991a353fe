"""Promises of pod network, service network and DNS."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

from gedge_provision.planning.verification._promise import Look, NodeLook, Promise, Verdict, verdict

__all__ = ["CLUSTER_NETWORK", "NODE_NETWORK"]

_APPLY = "put it right: gedge apply"
_INSTALL_ONLY = "it is decided at the install: write what the cluster has, or reset and apply again"
_FLANNEL, _FLANNEL_LABELS = "kube-flannel", {"app": "flannel"}
_ANNOTATION = "flannel.alpha.coreos.com/"


def _flannel(look: Look) -> dict[str, Any]:
    return _json(look.snapshot.settings(_FLANNEL, "kube-flannel-cfg", "net-conf.json"))


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _networking(look: Look, key: str) -> str:
    return str((look.kubeadm.get("networking") or {}).get(key, "unknown"))


def _pods(look: Look) -> Verdict:
    found = {"kubeadm": _networking(look, "podSubnet"), "flannel": str(_flannel(look).get("Network", "unknown"))}
    kept = set(found.values()) == {str(look.site.networks.pods)}
    return Verdict(kept, ", ".join(f"{who} has {what}" for who, what in found.items()))


def _services(look: Look) -> Verdict:
    subnet, address = _networking(look, "serviceSubnet"), look.snapshot.cluster_ip("default", "kubernetes")
    kept = subnet == str(look.site.networks.services) and _lies_in(address, look.site.networks.services)
    return Verdict(kept, f"kubeadm has {subnet}, Service kubernetes is {address or 'missing'}")


def _lies_in(address: str, network: ipaddress.IPv4Network) -> bool:
    try:
        return ipaddress.IPv4Network(address).subnet_of(network)
    except ValueError:
        return False


def _backend(look: Look) -> dict[str, object]:
    flannel = look.site.networks.flannel
    if flannel.backend == "vxlan":
        return {"Type": flannel.backend, "VNI": flannel.vni, "Port": flannel.port}
    return {"Type": flannel.backend}


def _settings(look: Look) -> Verdict:
    found = _flannel(look).get("Backend", {})
    return Verdict(found == _backend(look), f"its settings are {_words(found)}")


def _words(backend: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in backend.items()) or "unknown"


def _daemons(look: Look) -> Verdict:
    wrong = []
    for namespace, name in ((_FLANNEL, "kube-flannel"), ("kube-system", "kube-proxy")):
        key = (namespace, name)
        status = next(
            (found for found in look.snapshot.daemon_sets if (found.metadata.namespace, found.metadata.name) == key),
            None,
        )
        if status is None:
            wrong.append(f"{name} is missing")
        elif status.status.observed_generation < status.metadata.generation:
            wrong.append(f"{name} has been changed and not yet rolled out")
        elif status.status.updated_number_scheduled < status.status.desired_number_scheduled:
            wrong.append(
                f"{name} is up to date on {status.status.updated_number_scheduled} of "
                f"{status.status.desired_number_scheduled} nodes"
            )
    return verdict(wrong, "kube-flannel and kube-proxy are rolled out")


def _dns(look: Look) -> Verdict:
    for found in look.snapshot.deployments:
        if (found.metadata.namespace, found.metadata.name) == ("kube-system", "coredns"):
            has, wants = found.status.available_replicas, found.spec.replicas
            return Verdict(has >= wants > 0, f"{has} of {wants} replicas are available")
    return Verdict(kept=False, evidence="there is no Deployment coredns")


def _dns_address(look: Look) -> Verdict:
    found = look.snapshot.cluster_ip("kube-system", "kube-dns")
    return Verdict(_lies_in(found, look.site.networks.services), f"Service kube-dns is {found or 'missing'}")


def _dns_domain(look: Look) -> Verdict:
    corefile = look.snapshot.settings("kube-system", "coredns", "Corefile")
    zones = [
        zone for line in re.findall(r"^\s*kubernetes\s+([^{\n]*)", corefile, re.MULTILINE) for zone in line.split()
    ]
    wanted, kubeadm = look.site.networks.dns_domain, _networking(look, "dnsDomain")
    return Verdict(
        wanted in zones and kubeadm == wanted, f"CoreDNS serves {', '.join(zones) or 'nothing'}; kubeadm has {kubeadm}"
    )


def _range(look: NodeLook) -> Verdict:
    found = look.live.spec.pod_cidr
    others = [node.name for node in look.snapshot.nodes if node.name != look.node.name and node.spec.pod_cidr == found]
    if found and others:
        return Verdict(kept=False, evidence=f"{found} is also the range of {', '.join(others)}")
    return Verdict(_lies_in(found, look.site.networks.pods), f"its range is {found or 'missing'}")


def _daemon_here(namespace: str, labels: dict[str, str], name: str, look: NodeLook) -> Verdict:
    ready = look.snapshot.pod_ready(look.node.name, namespace, labels)
    if ready is None:
        return Verdict(kept=False, evidence=f"no pod of {name} is on this node")
    return Verdict(ready, f"its pod of {name} is {'ready' if ready else 'not ready'}")


def _running_backend(look: NodeLook) -> Verdict:
    notes = look.live.metadata.annotations
    found: dict[str, Any] = {"Type": notes.get(f"{_ANNOTATION}backend-type", "unknown")}
    found |= {key: value for key, value in _json(notes.get(f"{_ANNOTATION}backend-data", "")).items() if key == "VNI"}
    # A node does not tell the port; the settings that flannel starts with have it.
    wanted = {key: value for key, value in _backend(look).items() if key != "Port"}
    return Verdict(found == wanted, f"flannel runs with {_words(found)}")


CLUSTER_NETWORK: tuple[Promise[Look], ...] = (
    Promise(
        "network-pods", "network", "Kubernetes and flannel have the pod range of the site file.",
        _INSTALL_ONLY, "cluster",
        lambda look: f"pods take addresses of {look.site.networks.pods}", _pods,
    ),
    Promise(
        "network-services", "network",
        "Kubernetes has the service range of the site file, and its own Service lies there.", _INSTALL_ONLY, "cluster",
        lambda look: f"services take addresses of {look.site.networks.services}", _services,
    ),
    Promise(
        "network-flannel-settings", "network", "flannel's settings have backend, VNI and port of the site file.",
        _APPLY, "cluster",
        lambda look: f"flannel uses {_words(_backend(look))}", _settings,
    ),
    Promise(
        "network-rollout", "network", "The DaemonSets kube-flannel and kube-proxy are rolled out.",
        "kubectl rollout status daemonset; look at the pods that are not ready", "cluster",
        lambda _: "kube-flannel and kube-proxy are up to date on every node", _daemons,
    ),
    Promise(
        "dns-available", "dns", "All replicas of CoreDNS are available, and there is one.",
        "kubectl -n kube-system describe deployment coredns; scale it to 2 if somebody scaled it down", "cluster",
        lambda _: "CoreDNS is available", _dns,
    ),
    Promise(
        "dns-address", "dns", "The Service `kube-dns` lies in the service range.", _INSTALL_ONLY, "cluster",
        lambda look: f"DNS has an address of {look.site.networks.services}", _dns_address,
    ),
    Promise(
        "dns-domain", "dns", "CoreDNS serves the DNS domain of the site file.", _INSTALL_ONLY, "cluster",
        lambda look: f"the DNS domain is {look.site.networks.dns_domain}", _dns_domain,
    ),
)  # fmt: skip

NODE_NETWORK: tuple[Promise[NodeLook], ...] = (
    Promise(
        "network-pod-range", "network", "Its pod range lies in that of the site, and is its own.",
        "delete the node's object after a reset, and apply again", "node",
        lambda look: f"its pods take addresses of {look.site.networks.pods}", _range,
    ),
    Promise(
        "network-flannel", "network", "The pod of flannel is ready on it.",
        "kubectl -n kube-flannel describe pod, kubectl -n kube-flannel logs", "cluster",
        lambda _: "flannel runs here", lambda look: _daemon_here(_FLANNEL, _FLANNEL_LABELS, "kube-flannel", look),
    ),
    Promise(
        "network-backend", "network", "flannel runs on it with backend and VNI of the site file.",
        "restart flannel: kubectl -n kube-flannel rollout restart daemonset kube-flannel", "node",
        lambda look: f"flannel runs with {look.site.networks.flannel.backend}", _running_backend,
    ),
    Promise(
        "network-kube-proxy", "network", "The pod of kube-proxy is ready on it.",
        "kubectl -n kube-system describe pod, kubectl -n kube-system logs", "cluster",
        lambda _: "kube-proxy runs here",
        lambda look: _daemon_here("kube-system", {"k8s-app": "kube-proxy"}, "kube-proxy", look),
    ),
)  # fmt: skip
