#!/usr/bin/python
"""Look at a host's GPUs, and at what stands in the way of their driver. Changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_host
short_description: GPUs of a host, and what stands in the way of their driver
description:
  - Finds NVIDIA's GPUs on the PCI bus, a driver on the host, the kernel's headers, the kernel's own driver nouveau, and
    the state of Secure Boot. Changes nothing.
  - Refuses what the driver that is asked for cannot work with; what a person should know is a warning. A host without a
    GPU is not refused.
options:
  driver:
    description: >-
      Who installs the driver - V(operator) in a container, V(preinstalled) somebody on the host, V(none) nobody asks.
    type: str
    choices: [operator, preinstalled, none]
    required: true
attributes:
  check_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Look at GPUs
  gedge.provision.gpu_host:
    driver: operator
"""

RETURN = r"""
problems:
  description: What stands in the way, each with its remedy.
  type: list
  elements: str
  returned: always
ansible_facts:
  description: >-
    C(gedge_gpu), with devices (PCI addresses), distribution (its id), driver_on_host, headers (of the running kernel),
    kernel, nouveau (whether the kernel has it and no setting of the host keeps it away), secure_boot (on, off, or none
    without UEFI) and kernel_arguments (those that the driver needs).
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import gpu_host


def main():
    module = AnsibleModule(
        argument_spec={"driver": {"type": "str", "choices": ["operator", "preinstalled", "none"], "required": True}},
        supports_check_mode=True,
    )
    driver = module.params["driver"]
    found = gpu_host.find()
    problems = list(gpu_host.problems(found, driver))
    if problems:
        module.fail_json(msg="; ".join(problems), problems=problems)
    for remark in gpu_host.remarks(found, driver):
        module.warn(remark)
    facts = dict(found, kernel_arguments=gpu_host.kernel_arguments(found, driver))
    module.exit_json(changed=False, problems=[], ansible_facts={"gedge_gpu": facts})


if __name__ == "__main__":
    main()
