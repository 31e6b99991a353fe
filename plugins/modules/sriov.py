#!/usr/bin/python
"""Virtual functions of a host's network cards, kept across reboots, and what the device plugin offers of them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sriov
short_description: Bring the virtual functions of a host's network cards to what policies ask for, in one call
description:
  - Resolves each policy to physical functions, and refuses before anything is changed what the host cannot do.
  - Records the former state of a card before its first change; a card that no policy selects any more, and all of them
    with O(policies=[]), get it back.
  - Installs a systemd unit that makes the same virtual functions at every boot, and the configuration of the SR-IOV
    network device plugin, whose container is restarted when it started before the last change.
  - A card with virtual functions that pods have is never changed.
options:
  policies:
    description: What is asked for.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name in messages.
        type: str
        required: true
      nics:
        description: >-
          Selects physical functions by C(vendor), C(device), C(driver), C(interfaces), C(addresses), C(numa_nodes).
        type: dict
        required: true
      vfs:
        description: Virtual functions on each.
        type: int
        required: true
      resource:
        description: Resource that the device plugin offers them as, as prefix/name.
        type: str
      device_type:
        description: The driver of the virtual functions, that of their interface or V(vfio-pci).
        type: str
        choices: [netdevice, vfio-pci]
        default: netdevice
      rdma:
        description: Whether the functions have RDMA devices, which pods get with them.
        type: bool
        default: false
      mtu:
        description: MTU of physical and virtual functions; unset leaves it.
        type: int
      vlan:
        description: VLAN id, 0 for none.
        type: int
        default: 0
      trust:
        description: Whether a pod may change its MAC address; unset leaves it.
        type: bool
      spoof_check:
        description: Whether the card drops frames with another MAC address; unset leaves it.
        type: bool
      mac_addresses:
        description: Whether MAC addresses are derived from node name, PCI address and number, or left to the driver.
        type: str
        choices: [derived, driver]
        default: derived
  node_name:
    description: Name of the node, from which MAC addresses are derived.
    type: str
    default: ""
  management_address:
    description: The node's own address; the card that carries it is refused.
    type: str
    default: ""
  iommu_is_coming:
    description: Whether an IOMMU that is off will be on before anything is changed, after a reboot.
    type: bool
    default: false
  hold:
    description: Change nothing at all while pods have functions of a card that must change; they are named in RV(held).
    type: bool
    default: false
  state:
    description: V(looked_at) only finds out and refuses, V(present) changes.
    type: str
    choices: [looked_at, present]
    default: present
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Four virtual functions on each Intel 82576
  gedge.provision.sriov:
    node_name: gedgew01
    policies:
      - name: data
        nics: {vendor: "8086", device: "10c9"}
        vfs: 4
        resource: intel.com/intel_sriov_netdevice
"""

RETURN = r"""
held:
  description: Cards that differ and of which pods have functions, with the pods.
  type: list
  elements: str
  returned: always
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
ansible_facts:
  description: >-
    C(gedge_sriov), with held, due (whether something differs), resources (numbers that the node will offer), numa
    (the same by NUMA node), and cards (address, interface, driver, numa_node, total_vfs and vfs of each physical
    function of the host).
  type: dict
  returned: always
"""

import contextlib
import hashlib
import json
import os
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import sriov_functions as functions
from ..module_utils.host_state import (
    files_made,
    host_lock,
    made,
    read_record,
    return_file,
    sync_file,
    write_record,
)
from ..module_utils.programs import printed_json
from ..module_utils.sriov_cards import POLICIES, pods_with, resolve
from ..module_utils.sriov_offer import by_numa, device_plugin_settings, offered

RECORD = "sriov.json"
UNIT = "gedge-sriov.service"
UNITS = "/etc/systemd/system"
PROGRAM = "/usr/local/sbin/gedge-sriov"
SETTINGS = "/etc/gedge/sriov.json"
PLUGIN_SETTINGS = "/etc/pcidp/config.json"
PLUGIN = "sriov-device-plugin"
CRICTL = "/usr/local/bin/crictl"
UNIT_TEXT = """# Written by gedge-provision; local changes are lost at the next run.
[Unit]
Description=Virtual functions of network cards (gedge-provision)
After=systemd-modules-load.service systemd-udev-trigger.service
Before=containerd.service kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/env python3 %s %s

[Install]
WantedBy=multi-user.target
""" % (PROGRAM, SETTINGS)


def main():
    module = AnsibleModule(
        argument_spec={
            "policies": POLICIES,
            "node_name": {"type": "str", "default": ""},
            "management_address": {"type": "str", "default": ""},
            "iommu_is_coming": {"type": "bool", "default": False},
            "hold": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["looked_at", "present"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        work(module)
    except functions.FunctionError as error:
        module.fail_json(msg=str(error))


def work(module):
    looks = module.check_mode or module.params["state"] == "looked_at"
    with contextlib.nullcontext() if looks else host_lock(module, 300):
        cards = functions.physical_functions()
        chosen, problems = resolve(module, cards)
        if problems:
            module.fail_json(msg="; ".join(problems))
        wanted = [wanted_card(module.params["node_name"], address, policy) for address, policy in chosen.items()]
        dues = due_cards(cards, wanted)
        held = [described(cards, address, users) for address, users in dues.items() if users]
        objects, diffs = [], []
        if held and not looks and not module.params["hold"]:
            module.fail_json(
                msg="pods have virtual functions that must change: %s -> end these pods (a drain leaves DaemonSets)"
                % "; ".join(held)
            )
        if module.params["state"] == "present" and not (held and module.params["hold"]):
            objects, diffs = change(module, cards, wanted, dues)
        facts = {
            "held": held,
            "due": bool(
                dues or files(module, wanted, True) or unit(module, wanted, True, False) or old_plugins(module, wanted)
            ),
            "cards": list(cards.values()),
            "resources": offered(module.params["policies"]),
            "numa": by_numa(module.params["policies"], cards),
        }
        module.exit_json(
            changed=bool(objects), held=held, objects=objects, diff=diffs, ansible_facts={"gedge_sriov": facts}
        )


def wanted_card(node_name, address, policy):
    """Return what a physical function shall be, as the program at boot reads it."""
    return {
        "address": address,
        "mtu": policy["mtu"] or 0,
        "device_type": policy["device_type"],
        "functions": [
            {
                "mac": derived_mac(node_name, address, number) if policy["mac_addresses"] == "derived" else "",
                "vlan": policy["vlan"],
                "trust": policy["trust"],
                "spoof_check": policy["spoof_check"],
            }
            for number in range(policy["vfs"])
        ],
    }


def derived_mac(node_name, address, number):
    """Return a locally administered address that is the same at every boot."""
    digest = hashlib.sha256(("%s %s %d" % (node_name, address, number)).encode()).hexdigest()
    return ":".join(["02", *(digest[place : place + 2] for place in range(0, 10, 2))])


def due_cards(cards, wanted):
    """Return the cards that differ, or that get their former state back, with the pods that have functions of them."""
    kept = {card["address"] for card in wanted}
    dues = {}
    for card in wanted:
        users = pods_with(card["address"])
        found = [what for what, _ in functions.differences(cards[card["address"]], card, users)]
        if found:  # a link that comes up again disturbs nobody
            dues[card["address"]] = sorted(set(users.values())) if found != ["link"] else []
    for address in sorted(set(read_record(RECORD).get("former", {})) - kept):
        dues[address] = sorted(set(pods_with(address).values()))
    return dues


def described(cards, address, users):
    interface = cards.get(address, {}).get("interface")
    return "%s%s (%s)" % (address, " %s" % interface if interface else "", ", ".join(users))


def change(module, cards, wanted, dues):
    """Do what is due; in check mode only name it."""
    check = module.check_mode
    by_address = {card["address"]: card for card in wanted}
    objects = named(module, cards, by_address, dues)
    diffs = []
    if not check:
        if dues:
            note_change()
        for address in sorted(dues):
            if address not in by_address:
                give_back(address)
    # Files before functions: what a killed run leaves half done, the next boot or run finishes.
    diffs = files(module, wanted, check)
    objects += files_made(diffs)
    objects += unit(module, wanted, check, bool(diffs))
    if not check:
        for address in sorted(set(dues) & set(by_address)):
            remember(cards[address])
            functions.bring(by_address[address], pods_with(address))
        if diffs and not dues:
            note_change()
        restart_plugin(module, wanted)
        if not wanted and not read_record(RECORD).get("former"):
            write_record(RECORD, {})  # no device plugin of ours is left that would have to know
    return objects, diffs


def named(module, cards, by_address, dues):
    """Name what is due of cards and of the device plugin."""
    objects = []
    for address in sorted(dues):
        card = by_address.get(address)
        if card is None:
            objects.append(made("nic", address, "restore"))
        else:
            found = functions.differences(cards[address], card, pods_with(address))
            objects += [made("nic", "%s %s=%s" % (address, what, value), "set") for what, value in found]
    if not dues and old_plugins(module, by_address):  # left by a run that was killed before it came to this
        objects.append(made("container", PLUGIN, "restart"))
    return objects


def note_change():
    """Note when functions changed last: a device plugin that started before does not know them."""
    write_record(RECORD, dict(read_record(RECORD), changed=time.time()))


def remember(card):
    """Record a card as it was before us, once."""
    record = read_record(RECORD)
    former = record.setdefault("former", {})
    if card["address"] in former:
        return
    settings = functions.settings_of(card["interface"]) if card["vfs"] and card["interface"] else {}
    former[card["address"]] = {key: card[key] for key in ("address", "interface", "vfs", "mtu", "up", "autoprobe")}
    record.setdefault("modules", functions.loaded_modules())
    former[card["address"]]["settings"] = {str(number): setting for number, setting in settings.items()}
    write_record(RECORD, record)


def give_back(address):
    record = read_record(RECORD)
    functions.put_back(record["former"].pop(address), record["modules"])
    if not record["former"]:
        del record["modules"]
    write_record(RECORD, record)


def files(module, wanted, check):
    """Write (or, without any card, take back) what the boot and the device plugin read."""
    contents = {
        PROGRAM: (own_source(), 0o755),
        SETTINGS: (as_text({"physical_functions": wanted}), 0o644),
        os.path.join(UNITS, UNIT): (UNIT_TEXT, 0o644),
    }
    offers = device_plugin_settings(module.params["policies"], wanted)
    if not wanted:
        stop_unit(module, check)
        found = [return_file(path, check) for path in [*contents, PLUGIN_SETTINGS]]
        if not check and any(found):  # a failure of the unit that went would be told for ever
            module.run_command(["systemctl", "daemon-reload"])
            module.run_command(["systemctl", "reset-failed", UNIT])
    else:
        found = [sync_file(path, text, mode, check) for path, (text, mode) in contents.items()]
        if offers:
            found.append(sync_file(PLUGIN_SETTINGS, as_text(offers), 0o644, check))
        else:
            found.append(return_file(PLUGIN_SETTINGS, check))
    return [diff for diff in found if diff]


def own_source():
    """Return the source of what this module works with: the same program runs at boot."""
    return functions.__loader__.get_source(functions.__name__)


def as_text(value):
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def stop_unit(module, check):
    if not check and os.path.exists(os.path.join(UNITS, UNIT)):
        module.run_command(["systemctl", "disable", UNIT])


def unit(module, wanted, check, changed):
    """Enable the unit of the boot. It is not started: the work is done here."""
    enabled = os.path.lexists(os.path.join(UNITS, "multi-user.target.wants", UNIT))
    if not check and changed:
        module.run_command(["systemctl", "daemon-reload"])
    if not wanted or enabled:
        return []
    if not check:
        module.run_command(["systemctl", "enable", UNIT], check_rc=True)
    return [made("unit", UNIT, "enable")]


def old_plugins(module, wanted):
    """Return the containers of device plugins that started before functions changed last."""
    changed = read_record(RECORD).get("changed")
    if changed is None or not wanted or not os.path.exists(CRICTL):
        return []
    argv = [CRICTL, "ps", "--name", PLUGIN, "--output", "json"]
    # It fails while there is no runtime yet; then there is no container either.
    found = printed_json(module, argv, nothing={}, may_fail=True)
    return [container["id"] for container in found.get("containers", []) if int(container["createdAt"]) / 1e9 < changed]


def restart_plugin(module, wanted):
    """End a device plugin that started before the last change; its kubelet starts it again."""
    for container in old_plugins(module, wanted):
        module.run_command([CRICTL, "stop", "--timeout", "5", container])


if __name__ == "__main__":
    main()
