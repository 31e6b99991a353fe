"""What a probe pod shows of its network, and why it shows nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from gedge_provision.models.cluster import Event, Manifest, PodState
from gedge_provision.models.probes import ProbedPod
from gedge_provision.planning.probes._choice import ProbePod
from gedge_provision.planning.probes._objects import SPACE
from gedge_provision.planning.readiness import Trouble, pod_trouble

__all__ = ["crossings", "ping_command", "probe_trouble", "read_pod"]

_STATUS = "k8s.v1.cni.cncf.io/network-status"
_HEADERS = 28  # IPv4 and ICMP
_LOOK = "look at Multus on the node: gedge verify, kubectl -n kube-system logs"
_CAUSES = (
    (
        r"failed to find plugin \"?([\w-]+)",
        "the CNI plugin {0} is missing on the node",
        "put it right: gedge apply; see attachments-plugins",
    ),
    (
        r"no IP addresses available in range|[Cc]ould not allocate IP in range",
        "its range has no free address",
        "widen the range; see attachments-pools",
    ),
    (
        r"failed to lookup master|Link not found",
        "the interface below it is missing on the node",
        "correct master in the site file; see attachments-interfaces",
    ),
    (
        r"no net directory|failed to get VF|[Nn]o (?:such )?(?:net)?device",
        "its virtual function has no interface on the host: a crashed pod's network namespace may hold it",
        "see sriov-given-back",
    ),
    (
        r"error dialing DHCP daemon",
        "no DHCP daemon answers on the node",
        "see attachments-dhcp",
    ),
    (
        r"error calling DHCP.Allocate: .*no more tries",
        "no DHCP server answers on its network",
        "look at the server, and at link and VLAN of the interface below it",
    ),
    (
        r"cannot find a network-attachment-definition|network-attachment-definitions? .* not found",
        "its NetworkAttachmentDefinition is missing",
        "put it right: gedge apply",
    ),
)
"""What CNI plugins and Multus say, what it means and what to do."""


def read_pod(pod: ProbePod, found: Manifest) -> ProbedPod:
    """Return what a ready pod shows (Network Plumbing Working Group, de-facto standard 1.3, section 4.1)."""
    notes = found["metadata"].get("annotations", {})
    entries: list[dict[str, Any]] = json.loads(notes.get(_STATUS, "[]"))
    entry = next((one for one in entries if one.get("name") == f"{SPACE.name}/{pod.definition}"), None)
    if entry is None:
        return ProbedPod(
            attachment=pod.network,
            node=pod.node,
            problem="its pod is ready and has no network-status of it: the runtime does not call Multus",
            remedy="see attachments-cni-first and attachments-multus",
        )
    device = str(entry.get("device-info", {}).get("pci", {}).get("pci-address", ""))
    has = {
        "interface": entry.get("interface"),
        "ips": entry.get("ips") or pod.attachment.ipam.type == "none",
        "mac": entry.get("mac") or not entry.get("interface"),
        "device-info.pci.pci-address": device or pod.attachment.type != "sriov",
    }
    return ProbedPod(
        attachment=pod.network,
        node=pod.node,
        interface=str(entry.get("interface") or ""),
        addresses=tuple(entry.get("ips") or ()),
        device=device,
        promised_mtu=pod.mtu,
        lacking=tuple(name for name, there in has.items() if not there),
    )


def probe_trouble(found: Manifest | None, events: Sequence[Event], *, late: bool) -> Trouble | None:
    """Return why a pod does not get its network, when waiting longer will not help or the time is over."""
    if found is None:
        return Trouble("its pod is gone", "somebody deleted it: try again") if late else None
    state = PodState.model_validate(found)
    if state.status.phase == "Failed":
        said = f"{state.status.reason}: {state.status.message}"
        return Trouble(f"the kubelet ended its pod: {said}", "see sriov-resources and sriov-numa")
    images = {one.state.waiting.reason for one in state.status.container_statuses if one.state.waiting}
    if images & {"ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff"}:
        return Trouble("the node lacks the image of probe pods", "put it right: gedge apply; see host-images")
    if not late:
        return None
    failed = [one for one in events if one.involved_object.uid == state.metadata.uid]
    network = [one.message for one in failed if one.reason == "FailedCreatePodSandBox"]
    if network:
        return _cause(network[-1])
    trouble = pod_trouble(state, events)
    return trouble or Trouble("its pod does not get ready", "its node may be too busy: try again")


def _cause(message: str) -> Trouble:
    for pattern, meaning, remedy in _CAUSES:
        if found := re.search(pattern, message):
            return Trouble(meaning.format(*found.groups()), remedy)
    said = re.search(r"error adding container to network .*?(?=\n|'|$)", message)
    return Trouble(said[0] if said else message, _LOOK)


def crossings(pods: Iterable[ProbedPod], bridged: frozenset[str]) -> list[tuple[ProbedPod, ProbedPod]]:
    """Return pairs of pods that must reach each other: the first of an attachment, and each other one.

    Args:
        pods: what the pods got.
        bridged: attachments whose networks end at the node.
    """
    pairs = []
    for network, group in groupby(pods, key=lambda pod: pod.attachment):
        ends = [pod for pod in group if pod.addresses]
        pairs += [(ends[0], other) for other in ends[1:] if network not in bridged or other.node == ends[0].node]
    return pairs


def ping_command(start: str, end: str, *, mtu: int = 0) -> tuple[str, ...]:
    """Return a ping from one address to another; with an MTU, by packets of that size that may not be broken up."""
    whole = ("-M", "do", "-s", str(mtu - _HEADERS)) if mtu else ()
    return ("ping", "-n", "-q", "-c", "3", "-i", "0.3", "-W", "3", "-I", start, *whole, end)
