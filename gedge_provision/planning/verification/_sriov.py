"""Promises of the virtual functions of each node, judged by what its host shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from gedge_provision.models.host_networks import Card, VirtualFunction
from gedge_provision.models.sriov import SriovPolicy
from gedge_provision.planning.verification._daemons import daemon
from gedge_provision.planning.verification._device_plugin import offered
from gedge_provision.planning.verification._host import host_changes
from gedge_provision.planning.verification._promise import NodeLook, Promise, Verdict, verdict

__all__ = ["SRIOV"]

_APPLY = "put it right: gedge apply"
_CONSENT = "put it right: gedge apply; while pods have functions of the card, with --drain-ok"
_VFIO = "vfio-pci"
_UNKNOWN_USER = "another network namespace"  # as the module network_look says
# Names of interfaces in pods (Multus), on the way to them (SR-IOV CNI), and after a clash of names (the kernel).
_NAME_OF_A_POD = re.compile(r"(net|temp_|dev)\d+")
_STRICT = ("restricted", "single-numa-node")


def _cards(look: NodeLook) -> Iterator[tuple[SriovPolicy, Card]]:
    policies = look.policies
    for card in look.host.cards:
        if card.policy in policies:
            yield policies[card.policy], card


def _functions(look: NodeLook) -> Iterator[tuple[SriovPolicy, Card, VirtualFunction]]:
    for policy, card in _cards(look):
        for function in card.functions:
            yield policy, card, function


def _selected(look: NodeLook) -> Verdict:
    if look.host.problems:
        found = [problem.partition(" -> ") for problem in look.host.problems]
        return verdict([what for what, _, _ in found], "")._replace(remedy=found[0][2])
    return Verdict(kept=True, evidence="; ".join(f"{policy.name}: {card.name}" for policy, card in _cards(look)))


def _number(look: NodeLook) -> Verdict:
    found = list(_cards(look))
    wrong = [
        f"{card.name} has {card.vfs} of {policy.vfs} virtual functions"
        for policy, card in found
        if card.vfs != policy.vfs
    ]
    wrong += [] if found else ["no policy selects a card here"]
    return verdict(wrong, "; ".join(f"{card.name} has {card.vfs}" for _, card in found))


def _numa(look: NodeLook) -> Verdict:
    strict = look.promised_kubelet.get("topologyManagerPolicy") in _STRICT
    wrong = []
    for policy, card, function in _functions(look):
        node = function.numa_node
        if node != card.numa_node:
            wrong.append(f"{function.address} is on NUMA node {node}, its card {card.name} on {card.numa_node}")
        elif policy.nics.numa_nodes and node not in policy.nics.numa_nodes:
            wrong.append(f"{function.address} is on NUMA node {node}")
        elif strict and node < 0:
            wrong.append(f"the machine does not tell the NUMA node of {function.address}: the kubelet cannot align it")
    numbers = Counter(function.numa_node for _, _, function in _functions(look))
    said = ", ".join(f"{number} on NUMA node {node}" for node, number in sorted(numbers.items()))
    return verdict(wrong, said or "no virtual functions")


def _drivers(look: NodeLook) -> Verdict:
    wrong = [
        f"{function.address} has {function.driver or 'no driver'}, promised is {policy.device_type}"
        for policy, _, function in _functions(look)
        if (function.driver == _VFIO) != (policy.device_type == _VFIO) or not function.driver
    ]
    numbers = Counter(function.driver for _, _, function in _functions(look))
    said = ", ".join(f"{number} with {driver}" for driver, number in sorted(numbers.items()))
    return verdict(wrong, said or "no virtual functions")


def _settings(look: NodeLook) -> Verdict:
    changes = [change for change in host_changes(look) if change.kind == "nic"]
    # Number, drivers and link have their own checks.
    wrong = [f"to do: {change}" for change in changes if not re.search(r" (vfs|driver|link)=", change.name)]
    return verdict(wrong, "nothing to do")


def _promised_settings(look: NodeLook) -> str:
    found = []
    for policy in look.policies.values():
        parts = [f"MTU {policy.mtu}"] if policy.mtu else []
        parts += [f"VLAN {policy.vlan}"] if policy.vlan else []
        for words, value in (("trust", policy.trust), ("spoof check", policy.spoof_check)):
            parts += [f"{words} {'on' if value else 'off'}"] if value is not None else []
        found.append(f"{policy.name}: {', '.join([*parts, f'MAC addresses {policy.mac_addresses}'])}")
    return "; ".join(found)


def _link(look: NodeLook) -> Verdict:
    for _, card in _cards(look):
        if not card.up:
            return Verdict(kept=False, evidence=f"{card.name} is down", remedy=_APPLY)
    wrong = [f"{card.name} has no link" for _, card in _cards(look) if not card.carrier]
    return verdict(wrong, "; ".join(f"{card.name} is up" for _, card in _cards(look)) or "no cards")


def _given_back(look: NodeLook) -> Verdict:
    found = [function for _, _, function in _functions(look)]
    lost = [function.address for function in found if function.user == _UNKNOWN_USER]
    if lost:
        return verdict(
            [f"{address} is in a network namespace of no pod that the kubelet knows" for address in lost], ""
        )
    renamed = [one for one in found if not one.user and _NAME_OF_A_POD.fullmatch(one.interface)]
    if renamed:
        first = renamed[0]
        wrong = [f"{one.address} is named {one.interface} on the host: a crashed pod had it" for one in renamed]
        folder = f"/sys/bus/pci/drivers/{first.driver}"
        remedy = f"its driver names it anew: echo {first.address} > {folder}/unbind, then > {folder}/bind"
        return verdict(wrong, "")._replace(remedy=remedy)
    used = sum(bool(function.user) for function in found)
    return Verdict(kept=True, evidence=f"{used} in pods, {len(found) - used} on the host")


SRIOV: tuple[Promise[NodeLook], ...] = (
    Promise(
        "sriov-cards", "sriov", "Each SR-IOV policy of its class selects a card that can keep it.",
        "correct the policy in the site file", "networks",
        lambda look: f"policies {', '.join(look.policies)} select cards", _selected,
    ),
    Promise(
        "sriov-functions", "sriov", "Each of these cards has the virtual functions of its policy.",
        _CONSENT, "networks",
        lambda look: "; ".join(f"{one.name}: {one.vfs} on each card" for one in look.policies.values()),
        _number,
    ),
    Promise(
        "sriov-numa", "sriov",
        "They are on the NUMA node of their card, one that the policy names, and known to a kubelet that aligns.",
        "look at the NUMA settings of the firmware; select cards by nics.numa_nodes", "networks",
        lambda _: "virtual functions are on the NUMA nodes of their cards", _numa,
    ),
    Promise(
        "sriov-drivers", "sriov", "They have drivers of the policy's device type.", _APPLY, "networks",
        lambda look: "; ".join(f"{one.name}: {one.device_type}" for one in look.policies.values()),
        _drivers,
    ),
    Promise(
        "sriov-settings", "sriov",
        "Check mode finds nothing to do about MTU, VLAN, trust, spoof check and MAC addresses; those of functions that "
        "pods have are the SR-IOV CNI's.",
        _CONSENT, "host", _promised_settings, _settings,
    ),
    Promise(
        "sriov-link", "sriov", "The cards are up and have a link.",
        "check cable and transceiver, and the switch's port", "networks",
        lambda _: "the cards are up", _link,
    ),
    Promise(
        "sriov-given-back", "sriov",
        "Each virtual function is on the host under a name of the host, or in a pod that the kubelet knows.",
        "a crashed pod left its network namespace; on the node: ip -all netns exec ip -brief link shows which, "
        "ip netns delete NAME gives the function back", "networks",
        lambda _: "no virtual function is lost", _given_back,
    ),
    Promise(
        "sriov-device-plugin", "sriov", "The pod of the SR-IOV device plugin is ready on it.",
        "kubectl -n kube-system describe pod -l app=sriov-device-plugin, kubectl -n kube-system logs", "cluster",
        lambda _: "the SR-IOV device plugin runs here",
        lambda look: daemon("the device plugin", look),
    ),
    Promise(
        "sriov-resources", "sriov",
        "It offers as many devices of each resource as its policies make; where your own ConfigMap configures the "
        "device plugin, some of each resource that attachments name.",
        _APPLY, "node and networks",
        lambda _: "devices offered = virtual functions made", offered,
    ),
)  # fmt: skip
