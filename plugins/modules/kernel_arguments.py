#!/usr/bin/python
"""Kernel arguments of a host, through its boot loader."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_arguments
short_description: Bring the kernel arguments that a host boots with to what is wanted; reboots nothing
description:
  - Writes a file of GRUB's settings (C(/etc/default/grub.d/90-gedge.cfg)) and runs C(update-grub). A host with another
    boot loader is refused, unless its kernel runs with the arguments already.
  - Without arguments the settings are taken back. C(grub.cfg) comes back byte for byte where the same kernels can be
    booted as then, else as C(update-grub) makes it.
  - On a node that shares its kernel (a container) nothing applies, and RV(ansible_facts) say so.
options:
  arguments:
    description: The arguments, in their order.
    type: list
    elements: str
    default: []
  iommu:
    description: >-
      Add what switches the IOMMU on, where the firmware has one (Intel) and the kernel has left it off.
    type: bool
    default: false
  node_name:
    description: The node's name in the cluster, by which V(booted) tells of the reboot; the host's own if left out.
    type: str
    default: ""
  state:
    description: >-
      V(looked_at) only finds out and refuses, V(present) changes the boot loader's settings, V(booted) checks after a
      reboot that the kernel runs with the arguments (in check mode it names the reboot).
    type: str
    choices: [looked_at, present, booted]
    default: present
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Set isolated CPUs from the next boot on
  gedge.provision.kernel_arguments:
    arguments: ["isolcpus=managed_irq,2-7"]
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
ansible_facts:
  description: >-
    C(gedge_kernel), with applicable (false on a container node), arguments (wanted, with those for the IOMMU),
    settings_due and reboot_due (whether the boot loader's settings, and the running kernel, differ), iommu_is_coming
    (an IOMMU that is off will be on after the reboot) and boot_id.
  type: dict
  returned: always
"""

import contextlib
import platform

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host_state import host_lock, made
from ..module_utils.kernel_boot import BootLoaderError, KernelBoot, this_boot


def main():
    module = AnsibleModule(
        argument_spec={
            "arguments": {"type": "list", "elements": "str", "default": []},
            "iommu": {"type": "bool", "default": False},
            "node_name": {"type": "str", "default": ""},
            "state": {"type": "str", "choices": ["looked_at", "present", "booted"], "default": "present"},
        },
        supports_check_mode=True,
    )
    looks = module.check_mode or module.params["state"] == "looked_at"
    with contextlib.nullcontext() if looks else host_lock(module, 300):
        try:
            work(module)
        except BootLoaderError as error:
            module.fail_json(msg=str(error))


def work(module):
    boot = KernelBoot(module, module.params["arguments"], module.params["iommu"], this_boot())
    if boot.problem:
        module.fail_json(msg=boot.problem)
    if boot.wanted and not boot.applicable:
        module.warn("kernel arguments do not apply here: the node is a container, and shares its machine's kernel")
    objects, diffs = [], []
    if module.params["state"] == "present":
        objects, diffs = boot.changes()
        if objects and not module.check_mode:
            boot.change()
    elif module.params["state"] == "booted":
        objects = [made("host", module.params["node_name"] or platform.node(), "reboot")]
        if not module.check_mode:
            boot.settle()
    facts = {
        "applicable": boot.applicable,
        "arguments": boot.wanted,
        "settings_due": boot.settings_due(),
        "reboot_due": boot.reboot_due(),
        "iommu_is_coming": boot.iommu_is_coming(),
        "boot_id": boot.boot_id,
    }
    module.exit_json(changed=bool(objects), objects=objects, diff=diffs, ansible_facts={"gedge_kernel": facts})


if __name__ == "__main__":
    main()
