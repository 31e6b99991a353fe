#!/usr/bin/python
"""Kernel modules, sysctls, swap and time of a host, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_settings
short_description: Kernel modules, sysctls, swap and clock of a host, in one call
description:
  - Values are set now and for the next boot, and read back. The former ones are recorded for the reset.
  - On a host that shares its kernel (a container node) only what belongs to its own network namespace is set,
    RV(left_alone) names the rest.
options:
  kernel_modules:
    description: >-
      Modules, each with the path that proves its function (so that one that is built in is not asked for).
    type: dict
    default: {}
  feature_modules:
    description: >-
      Modules of what a site uses beyond the plain cluster, in the same form. Those that are no longer here are
      unloaded, with what they brought, unless they were loaded before or pods use them.
    type: dict
    default: {}
  sysctls:
    description: Kernel settings and their values.
    type: dict
    default: {}
  swap:
    description: Whether swap may stay on; V(off) switches it off and masks its units.
    type: str
    choices: ["off", keep]
    default: keep
  time_service:
    description: >-
      The unit that keeps the clock; an active one of the usual kind is accepted in its place. Empty for none.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Prepare the kernel
  gedge.provision.host_settings:
    kernel_modules: {br_netfilter: /proc/sys/net/bridge}
    sysctls: {net.ipv4.ip_forward: "1"}
    swap: "off"
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
left_alone:
  description: What was not set since it belongs to the kernel that this container node shares, or since pods use it.
  type: list
  elements: str
  returned: always
"""

import contextlib

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host_state import host_lock
from ..module_utils.kernel_settings import OPTIONS, sync_settings


def main():
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    with contextlib.nullcontext() if module.check_mode else host_lock(module, 300):
        objects, diffs, left_alone = sync_settings(module, module.params, module.check_mode)
    module.exit_json(changed=bool(objects), objects=objects, diff=diffs, left_alone=left_alone)


if __name__ == "__main__":
    main()
