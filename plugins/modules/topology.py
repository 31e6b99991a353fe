#!/usr/bin/python
"""Tell the topology of a host: CPUs, caches, NUMA nodes, PCI devices, interrupts. Changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: topology
short_description: CPUs, caches, NUMA nodes, PCI devices and interrupts of a host, in one call
description:
  - Reads C(/sys) and C(/proc). Nothing is changed and nothing is judged here.
  - Sets of CPUs are lists in the kernel's spelling, as 0-3,8; empty for none.
options:
  root:
    description: Folder that stands for C(/), for trees that were copied from a host.
    type: path
    default: /
attributes:
  check_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Look at the topology of a host
  gedge.provision.topology:
"""

RETURN = r"""
ansible_facts:
  description: >-
    C(gedge_topology), with host, architecture, kernel, processor, command_line, container, present, isolated,
    nohz_full, cpus (each online CPU with socket, die, core, siblings, kind), caches (from the second level on, with
    the CPUs that share them), numa (cpus, memory_kib, distances, huge_pages), devices (network cards, GPUs, NVMe
    disks, accelerators, with numa_node, local_cpus, irqs), irqs (with the CPUs that may take them) and settings.
  type: dict
  returned: always
"""

import platform

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cpu_topology import read_topology
from ..module_utils.host_state import in_container


def main():
    module = AnsibleModule(
        argument_spec={"root": {"type": "path", "default": "/"}},
        supports_check_mode=True,
    )
    host = {
        "host": platform.node(),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "container": in_container(),
    }
    module.exit_json(
        changed=False, ansible_facts={"gedge_topology": dict(read_topology(module.params["root"]), **host)}
    )


if __name__ == "__main__":
    main()
