"""Promises that only pods can prove: each attachment is usable. Judged where probe pods were asked for."""

from __future__ import annotations

from gedge_provision.models.probes import Crossing, ProbedPod, Probes
from gedge_provision.planning.verification._promise import Look, Promise, Verdict, verdict

__all__ = ["PROBES"]

_LOOK = "look at Multus and the CNI plugins on the node: kubectl -n kube-system logs"


def _of(look: Look) -> Probes:
    return look.probes or Probes()


def _not_asked(look: Look) -> str:
    if look.probes is None:
        return "no pod was started: gedge verify --probe"
    nothing = not look.probes.pods and not look.probes.problem
    return "; ".join(look.probes.left_out) or "the site has no attachments" if nothing else ""


def _no_network(look: Look) -> str:
    got = any(not pod.problem for pod in _of(look).pods)
    return _not_asked(look) or ("" if got else "no pod got its network: see probe-pods")


def _no_crossing(look: Look) -> str:
    tried = _of(look).crossings
    return _not_asked(look) or ("" if tried else "no two probe pods with addresses are on one network")


def _nothing_whole(look: Look) -> str:
    tried = any(one.mtu for one in _of(look).crossings)
    return _no_crossing(look) or ("" if tried else "no two probe pods reach each other: see probe-reach")


def _got(look: Look) -> Verdict:
    probes = _of(look)
    bad = [pod for pod in probes.pods if pod.problem]
    if bad or probes.problem:
        wrong = [f"{pod.attachment} on {pod.node}: {pod.problem}" for pod in bad]
        wrong += [probes.problem] if probes.problem else []
        return verdict(wrong, "")._replace(remedy=bad[0].remedy if bad else "")
    said = [f"{pod.attachment} on {pod.node}" for pod in probes.pods]
    return Verdict(kept=True, evidence="; ".join([*said, *(f"left out: {one}" for one in probes.left_out)]))


def _complete(look: Look) -> Verdict:
    pods = [pod for pod in _of(look).pods if not pod.problem]
    wrong = [f"{pod.attachment} on {pod.node} lacks {', '.join(pod.lacking)}" for pod in pods if pod.lacking]
    wrong += [
        f"{pod.attachment} on {pod.node} has MTU {pod.mtu}, promised is {pod.promised_mtu}"
        for pod in pods
        if pod.mtu and pod.promised_mtu not in (0, pod.mtu)
    ]
    return verdict(wrong, "; ".join(_shown(pod) for pod in pods))


def _shown(pod: ProbedPod) -> str:
    parts = [pod.interface, *pod.addresses, pod.device, f"MTU {pod.mtu}" if pod.mtu else ""]
    return f"{pod.attachment} on {pod.node}: {' '.join(part for part in parts if part)}"


def _reached(look: Look) -> Verdict:
    wrong = [f"{_way(one)}: {one.said or 'no answer'}" for one in _of(look).crossings if not one.reached]
    return verdict(wrong, "; ".join(_way(one) for one in _of(look).crossings))


def _whole(look: Look) -> Verdict:
    tried = [one for one in _of(look).crossings if one.mtu]
    wrong = [f"{_way(one)}: {one.mtu} bytes do not come through ({one.said})" for one in tried if not one.whole]
    return verdict(wrong, "; ".join(f"{_way(one)}: {one.mtu} bytes" for one in tried))


def _way(one: Crossing) -> str:
    where = f"within {one.start}" if one.start == one.end else f"{one.start} to {one.end}"
    return f"{one.attachment} {where}"


PROBES: tuple[Promise[Look], ...] = (
    Promise(
        "probe-pods", "attachments", "A pod on a node of each class gets each attachment.", _LOOK, "cluster",
        lambda _: "pods get the attachments", _got, _not_asked,
    ),
    Promise(
        "probe-status", "attachments",
        "Its network-status has interface, addresses and MAC address, and the PCI address of a virtual function; its "
        "interface has the promised MTU.",
        _LOOK, "cluster", lambda _: "network-status of pods is complete", _complete, _no_network,
    ),
    Promise(
        "probe-reach", "attachments",
        "Two pods on an attachment reach each other, on different nodes where the network crosses nodes.",
        "check link, VLAN and spoof check of the interfaces below, and the switch behind them", "cluster",
        lambda _: "pods on an attachment reach each other", _reached, _no_crossing,
    ),
    Promise(
        "probe-mtu", "attachments", "Packets as large as its MTU come through without being broken up.",
        "let every interface and switch on the way have this MTU, or give the attachment a smaller one", "cluster",
        lambda _: "packets as large as the MTU come through", _whole, _nothing_whole,
    ),
)  # fmt: skip
