#!/usr/bin/python
"""What a host shows of its network cards, virtual functions and CNI settings; nothing is changed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_look
short_description: Tell what a host has for the secondary networks of pods
description:
  - Network cards with their virtual functions, the interfaces below attachments, routes, CNI configuration and plugins.
  - Nothing is changed and nothing is judged here.
options:
  policies:
    description: Policies as M(gedge.provision.sriov) takes them; each card is told with the policy that selects it.
    type: list
    elements: dict
    default: []
  interfaces:
    description: Names of further interfaces that are looked at.
    type: list
    elements: str
    default: []
  management_address:
    description: The node's own address.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Look at the networks of a host
  gedge.provision.network_look:
    interfaces: [ens1f0]
"""

RETURN = r"""
ansible_facts:
  description: >-
    C(gedge_networks), with cards (physical functions, each with policy, its interface's state and functions), problems
    (why policies cannot be kept), interfaces (state and MTU by name; missing ones are left out), routes (of IPv4, but
    for the default one), cni_files (configuration in the order in which the runtime reads it), cni_plugins,
    device_plugin (its configuration on this host), and dhcp_daemon (whether one answers CNI plugins).
  type: dict
  returned: always
"""

import json
import os
import socket

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import sriov_functions as functions
from ..module_utils.host_state import read_text
from ..module_utils.programs import printed_json
from ..module_utils.sriov_cards import POLICIES, pods_with, resolve

CNI_SETTINGS, CNI_PLUGINS = "/etc/cni/net.d", "/opt/cni/bin"
CNI_ENDINGS = (".conf", ".conflist", ".json")
DEVICE_PLUGIN = "/etc/pcidp/config.json"
DHCP_SOCKET = "/run/cni/dhcp.sock"


def main():
    module = AnsibleModule(
        argument_spec={
            "policies": dict(POLICIES, required=False, default=[]),
            "interfaces": {"type": "list", "elements": "str", "default": []},
            "management_address": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    cards = functions.physical_functions()
    chosen, problems = resolve(module, cards)
    found = {
        "problems": problems,
        "cards": [card_facts(card, chosen.get(address)) for address, card in cards.items()],
        "interfaces": {name: state for name in module.params["interfaces"] for state in [interface(name)] if state},
        "routes": routes(module),
        "cni_files": sorted(name for name in listed(CNI_SETTINGS) if name.endswith(CNI_ENDINGS)),
        "cni_plugins": listed(CNI_PLUGINS),
        "device_plugin": parsed(read_text(DEVICE_PLUGIN)),
        "dhcp_daemon": answers(DHCP_SOCKET),
    }
    module.exit_json(changed=False, ansible_facts={"gedge_networks": found})


def card_facts(card, policy):
    """Return a physical function with its virtual functions; of cards without a policy no function is told."""
    users = pods_with(card["address"]) if policy else {}
    return dict(
        card,
        policy=policy["name"] if policy else "",
        carrier=carrier(card["interface"]),
        functions=[
            function_facts(address, users.get(address, ""))
            for address in (functions.functions_of(card["address"]) if policy else [])
        ],
    )


def function_facts(address, user):
    folder = os.path.join(functions.DEVICES, address)
    return {
        "address": address,
        "vendor": functions.read(folder, "vendor")[2:],
        "device": functions.read(folder, "device")[2:],
        "driver": functions.driver_of(address),
        "interface": functions.interface_of(address),
        "numa_node": int(functions.read(folder, "numa_node") or -1),
        "user": user,
    }


def interface(name):
    """Return the state of an interface; None where there is none."""
    if not os.path.isdir(os.path.join(functions.NETWORKS, name)):
        return None
    flags = int(functions.read(functions.NETWORKS, name, "flags") or "0x0", 16)
    return {
        "up": bool(flags & 1),
        "carrier": carrier(name),
        "mtu": int(functions.read(functions.NETWORKS, name, "mtu") or 0),
    }


def carrier(name):
    """Tell whether an interface has a link; one that is down says nothing of it."""
    return bool(name) and functions.read(functions.NETWORKS, name, "carrier") == "1"


def routes(module):
    found = printed_json(module, ["ip", "-json", "-4", "route", "show"])
    return [
        {"destination": route["dst"], "interface": route.get("dev", "")} for route in found if route["dst"] != "default"
    ]


def answers(path):
    """Tell whether a program takes calls at a socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(path)
        except OSError:
            return False
    return True


def listed(folder):
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def parsed(text):
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    main()
