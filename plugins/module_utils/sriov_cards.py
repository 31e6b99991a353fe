"""Which network cards of a host policies mean, what stands in the way, and which pods have functions of a card.

Standard library only, Python 3.8 and later.
"""

from __future__ import annotations

import glob
import json
import os

from . import sriov_functions as functions
from .host_state import read_text
from .programs import printed_json

OPERATOR_FOLDER = "/etc/sriov-operator"
CHECKPOINT = "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint"
PODS, POD_LOGS = "/var/lib/kubelet/pods", "/var/log/pods"
POLICIES = {
    "type": "list",
    "elements": "dict",
    "required": True,
    "options": {
        "name": {"type": "str", "required": True},
        "nics": {"type": "dict", "required": True},
        "vfs": {"type": "int", "required": True},
        "resource": {"type": "str"},
        "device_type": {"type": "str", "choices": ["netdevice", "vfio-pci"], "default": "netdevice"},
        "rdma": {"type": "bool", "default": False},
        "mtu": {"type": "int"},
        "vlan": {"type": "int", "default": 0},
        "trust": {"type": "bool"},
        "spoof_check": {"type": "bool"},
        "mac_addresses": {"type": "str", "choices": ["derived", "driver"], "default": "derived"},
    },
}
# Options of the modules that take policies.


def resolve(module, cards):
    """Return the policy of each card that one selects, by PCI address, and every problem with its remedy."""
    chosen, problems = {}, []
    management = carriers(module, module.params["management_address"])
    for policy in module.params["policies"]:
        found = [address for address, card in cards.items() if selects(policy["nics"], card)]
        policy["cards"] = found
        if not found:
            problems.append(nothing_selected(policy, cards))
        for address in found:
            if address in chosen:
                problems.append(
                    "policies %s and %s both select %s -> a card has one policy: narrow one of them"
                    % (chosen[address]["name"], policy["name"], card_name(cards[address]))
                )
                continue
            chosen[address] = policy
            problems += card_problems(module, policy, cards[address], management)
    if chosen and os.path.isdir(OPERATOR_FOLDER):
        problems.append(
            "%s shows that the SR-IOV network operator configures the cards of this host, and a card has one owner -> "
            "remove the operator from this node, or set owner: operator in the policies" % OPERATOR_FOLDER
        )
    return chosen, problems


def selects(nics, card):
    """Tell whether everything that a selector gives applies to a card."""
    for key in ("vendor", "device", "driver"):
        if nics.get(key) and card[key] != nics[key]:
            return False
    for key, one in (("interfaces", "interface"), ("addresses", "address"), ("numa_nodes", "numa_node")):
        if nics.get(key) and card[one] not in nics[key]:
            return False
    return True


def card_name(card):
    return "%s (%s)" % (card["address"], card["interface"] or "no interface")


def described(card):
    return "%s %s %s:%s %s, NUMA node %d, up to %d" % (
        card["address"],
        card["interface"] or "-",
        card["vendor"],
        card["device"],
        card["driver"] or "no driver",
        card["numa_node"],
        card["total_vfs"],
    )


def nothing_selected(policy, cards):
    asked = ", ".join(
        "%s %s" % (key, value if isinstance(value, str) else "/".join(map(str, value)))
        for key, value in sorted(policy["nics"].items())
        if value
    )
    plain = [
        name
        for name in policy["nics"].get("interfaces") or []
        if os.path.exists(os.path.join(functions.NETWORKS, name))
    ]
    if plain:
        return "policy %s selects %s, which has no SR-IOV%s -> name a card that has, or leave the policy out" % (
            policy["name"],
            plain[0],
            " (it may be off in the firmware)"
            if os.path.exists(os.path.join(functions.NETWORKS, plain[0], "device"))
            else "",
        )
    have = "; ".join(described(card) for card in cards.values()) or "none; it may be off in the firmware"
    return "policy %s selects no card (%s) -> cards with SR-IOV here: %s" % (policy["name"], asked, have)


def card_problems(module, policy, card, management):
    """Yield what a card cannot do, or must not."""
    name = card_name(card)
    if policy["vfs"] > card["total_vfs"]:
        yield "policy %s asks for %d virtual functions, %s has at most %d -> ask for fewer" % (
            policy["name"],
            policy["vfs"],
            name,
            card["total_vfs"],
        )
    if card["interface"] and card["interface"] in management:
        yield (
            "policy %s selects %s, which carries the node's own address or its default route -> name another card"
            % (policy["name"], name)
        )
    if not card["interface"]:
        yield (
            "%s has no interface (driver %s) -> load its driver, or take it out of policy %s"
            % (card["address"], card["driver"] or "none", policy["name"])
        )
    elif policy["mtu"]:
        largest = functions.largest_mtu(card["interface"])
        if largest and policy["mtu"] > largest:
            yield "policy %s asks for MTU %d, %s takes up to %d -> use that, or less" % (
                policy["name"],
                policy["mtu"],
                name,
                largest,
            )
    if policy["rdma"] and not glob.glob(os.path.join(functions.DEVICES, card["address"], "infiniband", "*")):
        yield (
            "policy %s asks for RDMA, and %s has no RDMA device -> load its RDMA driver (mlx5_ib, irdma, ...), "
            "or take rdma: true out" % (policy["name"], name)
        )
    if policy["device_type"] == functions.VFIO:
        if not (card["iommu"] or module.params.get("iommu_is_coming")):
            yield (
                "policy %s gives functions to vfio-pci, and %s has no IOMMU -> switch it on in the firmware (VT-d, "
                "AMD-Vi) and take arguments from the kernel that switch it off, or use device_type: netdevice"
                % (policy["name"], name)
            )
        if not os.path.isdir(os.path.join(functions.DRIVERS, functions.VFIO)) and (
            module.run_command(["modprobe", "--dry-run", "--quiet", "vfio-pci"])[0] != 0
        ):
            yield "the kernel has no driver vfio-pci -> install the kernel package that carries it"


def carriers(module, address):
    """Return the interfaces that carry an address or the default route, and those below them (bonds, bridges)."""
    found = set()
    for entry in printed_json(module, ["ip", "-json", "-4", "address"]):
        if any(info.get("local") == address for info in entry.get("addr_info", [])):
            found.add(entry["ifname"])
    routes = printed_json(module, ["ip", "-json", "-4", "route", "show", "default"])
    found |= {route["dev"] for route in routes if "dev" in route}
    waiting = list(found)
    while waiting:
        below = [
            os.path.basename(path)[6:] for path in glob.glob(os.path.join(functions.NETWORKS, waiting.pop(), "lower_*"))
        ]
        waiting += [name for name in below if name not in found]
        found |= set(below)
    return found


def pods_with(address):
    """Return who has virtual functions of a card, by their PCI addresses: namespace/name of pods as far as it is known.

    A function is in use when its interface is in another network namespace, when a program has its VFIO group open, or
    when the kubelet has given it to a pod that is still there.
    """
    given = given_to_pods()
    used = {}
    for function in functions.functions_of(address):
        driver = functions.driver_of(function)
        away = driver and driver != functions.VFIO and not functions.interface_of(function)
        opened = driver == functions.VFIO and group_is_open(functions.link(functions.DEVICES, function, "iommu_group"))
        if function in given or away or opened:
            used[function] = given.get(function, "a program outside of pods" if opened else "another network namespace")
    return used


def given_to_pods():
    """Return what the kubelet has noted of devices: the pod that has each."""
    try:
        entries = json.loads(read_text(CHECKPOINT) or "{}").get("Data", {}).get("PodDeviceEntries") or []
    except ValueError:
        return {}
    found = {}
    for entry in entries:
        pod = pod_name(entry.get("PodUID", ""))
        devices = entry.get("DeviceIDs") or {}
        lists = devices.values() if isinstance(devices, dict) else [devices]
        if pod:
            found.update((device, pod) for devices in lists for device in devices or [])
    return found


def pod_name(uid):
    """Return the pod that a UID means; empty when it is gone: notes of its devices may outlive it."""
    if not uid or not os.path.isdir(os.path.join(PODS, uid)):
        return ""
    logs = glob.glob(os.path.join(POD_LOGS, "*_" + uid))
    return "/".join(os.path.basename(logs[0]).split("_")[:2]) if logs else "pod " + uid


def group_is_open(group):
    if not group:
        return False
    device = "/dev/vfio/" + group
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(path) == device:
                return True
        except OSError:
            continue
    return False
