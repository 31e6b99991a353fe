"""The objects of a run: its namespace, copies of attachments, probe pods; and what pods say of their networks."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gedge_provision.models.attachments import Attachment
from gedge_provision.models.cluster import Manifest
from gedge_provision.models.perf import PerfSettings
from gedge_provision.planning.attachments import definition, pod_resources
from gedge_provision.planning.manifests import MANAGED
from gedge_provision.planning.own_pods import OwnSpace, own_pod_spec
from gedge_provision.planning.perf._paths import FLANNEL, HOST, Ends
from gedge_provision.planning.perf._rdma import server_script
from gedge_provision.planning.perf._steps import Pair

__all__ = [
    "CONTAINER",
    "NAMESPACE",
    "SIDES",
    "PodNetwork",
    "Side",
    "attachment_name",
    "batch_objects",
    "pod_name",
    "secondary",
    "space",
]

NAMESPACE = "gedge-perf"
CONTAINER = "probe"

Side = Literal["server", "client"]
SIDES: tuple[Side, Side] = ("server", "client")
_STATUS = "k8s.v1.cni.cncf.io/network-status"
_NETWORKS = "k8s.v1.cni.cncf.io/networks"
_MEMORY = "256Mi"
_SERVERS = """\
while :; do iperf3 --server --bind {address} --port {stream_port}; sleep 1; done >/dev/null 2>&1 &
while :; do sockperf server --ip {address} --port {message_port}; sleep 1; done
"""


@dataclass(frozen=True)
class _Image:
    reference: str
    pull: str


def space(pairs: Sequence[Pair]) -> OwnSpace:
    """Return the namespace of a run; it allows privileged pods only where one is on the host's network."""
    return OwnSpace(NAMESPACE, "measures", privileged=any(pair.path.kind == HOST for pair in pairs))


def batch_objects(  # noqa: PLR0913 - all that decides how pods look
    batch: Sequence[Pair], ends: Ends, image: str, *, pull: bool, settings: PerfSettings, limit_s: int
) -> list[Manifest]:
    """Return attachments and pods, in the order in which they are made.

    The attachments are copies in the run's own namespace: pods may use those of other namespaces only where Multus is
    told so.

    Args:
        batch: pairs whose pods run at the same time.
        ends: the nodes.
        image: the image with the tools.
        pull: whether the kubelet may pull it.
        settings: how it is measured.
        limit_s: seconds after which the kubelet ends the pods by itself.
    """
    chosen = _Image(image, "IfNotPresent" if pull else "Never")
    objects: list[Manifest] = []
    for pair in batch:
        if pair.path.attachment is not None:
            objects.append(_copy(pair.path.attachment, attachment_name(pair)))
        for side in SIDES:
            node = ends.server if side == "server" else ends.client
            address = str(node.address) if pair.path.kind == HOST else "0.0.0.0"  # noqa: S104 - inside the pod
            objects.append(_pod(pair, side, node.name, address, chosen, settings=settings, limit_s=limit_s))
    return objects


def pod_name(pair: Pair, side: Side) -> str:
    """Return the name of a pod."""
    return f"{side}-{attachment_name(pair)}"


def attachment_name(pair: Pair) -> str:
    """Return the name of a pair's copy of its attachment."""
    slug = re.sub(r"[^a-z0-9]+", "-", pair.path.name)[:30].strip("-")
    return f"{pair.number}-{slug}-{pair.pinning}"


def _copy(attachment: Attachment, name: str) -> Manifest:
    # The configuration keeps the network's name: host-local and whereabouts keep their books under it.
    made = definition(attachment)
    return {**made, "metadata": {**made["metadata"], "name": name, "namespace": NAMESPACE, "labels": MANAGED}}


def _pod(  # noqa: PLR0913 - one for each part
    pair: Pair, side: Side, node: str, address: str, image: _Image, *, settings: PerfSettings, limit_s: int
) -> Manifest:
    path = pair.path
    attachment = path.attachment
    cpus = settings.pinned_cpus or 0 if pair.pinning == "pinned" else 0
    annotations: dict[str, str] = {}
    if attachment is not None:
        network: dict[str, Any] = {"name": attachment_name(pair), "namespace": NAMESPACE, "interface": "net1"}
        if path.addresses:
            network["ips"] = [path.addresses[0 if side == "server" else 1]]
        annotations[_NETWORKS] = json.dumps([network])
    limits: dict[str, str] = {"cpu": str(cpus), "memory": _MEMORY} if cpus else {}
    if attachment is not None:
        limits |= dict.fromkeys(pod_resources(attachment), "1")
    script = _SERVERS.format(address=address, stream_port=pair.stream_port, message_port=pair.message_port)
    script = server_script(settings, pair.number) + script if path.rdma else script
    command = ["catatonit", "--", "sh", "-c", script if side == "server" else "while :; do sleep 3600; done"]
    container: Manifest = {
        "name": CONTAINER,
        "image": image.reference,
        "imagePullPolicy": image.pull,
        "command": command,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - iperf3 keeps its buffers there
    }
    if limits:
        container["resources"] = {"requests": limits, "limits": limits}
    spec = own_pod_spec(container, node, limit_s)
    spec["volumes"] = [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}]
    if path.kind == HOST:
        spec |= {"hostNetwork": True, "dnsPolicy": "Default"}
    metadata = {"name": pod_name(pair, side), "namespace": NAMESPACE, "labels": MANAGED, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@dataclass(frozen=True)
class PodNetwork:
    """The interface of a pod on the path that is measured."""

    interface: str
    address: str
    device: str = ""


def secondary(pod: Manifest, pair: Pair) -> PodNetwork | None:
    """Return the pod's interface on the path; None while nothing is known of it.

    Source: Multus' annotation network-status (Network Plumbing Working Group, de-facto standard 1.3, section 4.1.2).
    """
    if pair.path.kind in {HOST, FLANNEL}:
        address = pod.get("status", {}).get("podIP", "")
        return PodNetwork("" if pair.path.kind == HOST else "eth0", address) if address else None
    text = pod["metadata"].get("annotations", {}).get(_STATUS)
    for network in json.loads(text) if text else []:
        if network.get("name") == f"{NAMESPACE}/{attachment_name(pair)}" and network.get("ips"):
            device = network.get("device-info", {}).get("pci", {}).get("pci-address", "")
            return PodNetwork(network.get("interface", ""), network["ips"][0], device)
    return None
