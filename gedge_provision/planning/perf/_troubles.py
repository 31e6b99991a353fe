"""Why a path cannot be measured, and what to do: from what its pods show."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gedge_provision.models.cluster import Event, Manifest, PodState
from gedge_provision.models.perf import Problem
from gedge_provision.planning.perf._paths import FLANNEL, HOST, Ends
from gedge_provision.planning.perf._pods import PodNetwork, secondary
from gedge_provision.planning.perf._steps import Pair
from gedge_provision.planning.readiness import Trouble, pod_trouble

__all__ = ["IMAGE_REMEDY", "no_rdma", "pod_problem", "ready_network", "same_address", "silent_server"]

IMAGE_REMEDY = "set networks.test_tools: true in the site file, then: gedge apply"
_WITHOUT_END = ("not supported", "not found", "no such device", "device or resource busy", "invalid argument")
"""What CNI plugins say when trying again does not help."""
_NO_IMAGE = ("ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff")


def ready_network(pod: Manifest | None, pair: Pair) -> PodNetwork | None:
    """Return the interface of a pod on its path, once the pod is ready."""
    return secondary(pod, pair) if pod is not None and PodState.model_validate(pod).ready else None


def pod_problem(pod: Manifest | None, pair: Pair, events: Sequence[Event], *, late: bool) -> Problem | None:
    """Return what keeps a pod from being ready, when waiting longer will not help or the time is over.

    Args:
        pod: the pod as the API server has it.
        pair: its pair.
        events: warnings about pods.
        late: whether the time is over.
    """
    found = _missing(pair, late=late) if pod is None else _trouble(PodState.model_validate(pod), events, late=late)
    if found is None:
        return None
    return Problem(
        path=pair.path.name, pinning=pair.pinning, what="no pods", message=found.message, remedy=found.remedy
    )


def _missing(pair: Pair, *, late: bool) -> Trouble | None:
    remedy = "somebody deleted it, or its node ran out of memory: try again"
    return Trouble(f"a pod for {pair.label} is gone", remedy) if late else None


def _trouble(pod: PodState, events: Sequence[Event], *, late: bool) -> Trouble | None:
    node = pod.spec.node_name
    if pod.status.phase == "Failed":
        return Trouble(
            f"the kubelet of {node} ended pod {pod.name}: {pod.status.reason}: {pod.status.message}",
            "ask for what one NUMA node of the node has, or measure unpinned",
        )
    waiting = [one.state.waiting for one in pod.status.container_statuses if one.state.waiting]
    if any(one.reason in _NO_IMAGE for one in waiting):
        return Trouble(f"{node} does not have the image with the tools", IMAGE_REMEDY)
    found = _network_trouble(pod, events) or pod_trouble(pod, events)
    if found is not None and (found.final or late):
        return found
    if not late:
        return None
    if pod.ready:
        return Trouble(f"pod {pod.name} got no address on this network", "look at Multus on its node: gedge verify")
    return Trouble(f"pod {pod.name} does not get ready", "its node may be too busy: try again")


def _network_trouble(pod: PodState, events: Sequence[Event]) -> Trouble | None:
    """Return what a CNI plugin said of the pod, without the request that the kubelet's message repeats."""
    failed = [
        one for one in events if one.reason == "FailedCreatePodSandBox" and one.involved_object.uid == pod.metadata.uid
    ]
    said = re.search(r"error adding container to network .*?(?=\n|'|$)", failed[-1].message) if failed else None
    if said is None:
        return None
    return Trouble(
        f"{pod.spec.node_name}: {said[0]}",
        "the interface below it, the device or the kernel of the node lacks what it needs: gedge verify",
        final=any(words in said[0].lower() for words in _WITHOUT_END),
    )


def same_address(pair: Pair, address: str) -> Problem:
    """Return that both pods got one address."""
    return Problem(
        path=pair.path.name,
        pinning=pair.pinning,
        what="no path",
        message=f"both pods got the address {address}",
        remedy="let whereabouts give the addresses, which counts for all nodes",
    )


def no_rdma(pair: Pair, said: str) -> Problem:
    """Return that RDMA does not work over a path that carries packets."""
    return Problem(
        path=pair.path.name,
        pinning=pair.pinning,
        what="no RDMA",
        message=f"no answer over RDMA, while packets pass ({said})",
        remedy="look at the pods' links (rdma link), and at the kernel's log of both nodes",
    )


def silent_server(pair: Pair, ends: Ends, address: str, said: str) -> Problem:
    """Return that no answer came over a path."""
    remedies = {
        HOST: f"let the hosts' firewall pass UDP and TCP ports {pair.stream_port} and {pair.message_port}",
        FLANNEL: "check the pod network: gedge verify",
        "sriov": "check link, VLAN and spoof check of the virtual functions, and the switch behind them",
    }
    return Problem(
        path=pair.path.name,
        pinning=pair.pinning,
        what="no path",
        message=f"no answer from {address} on {ends.server.name} to {ends.client.name} ({said})",
        remedy=remedies.get(
            pair.path.kind, "check the interface below it on both nodes, and VLAN and switch behind it"
        ),
    )
