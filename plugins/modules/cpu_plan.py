#!/usr/bin/python
"""Documentation of the action plugin `cpu_plan`; the plan is computed on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cpu_plan
short_description: Plan CPUs, memory and interrupts of a host from its topology
description:
  - Reads the topology of the host (M(gedge.provision.topology)) and computes the plan on the controller;
    changes nothing.
  - Fails when the host cannot have what is asked for, with every reason and the smallest change for each.
  - Needs the Python package gedge-provision beside ansible-core on the controller.
options:
  intent:
    description: What is asked of the host's CPUs, as C(cpus) of a node class in a site file has it.
    type: dict
    required: true
  kubelet:
    description: Settings of the kubelet, as C(kubelet) of a node class has them; they count more than the profile.
    type: dict
    default: {}
  kernel_arguments:
    description: Kernel arguments that are set beside those of the plan; their CPU lists are held against the host.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Plan the CPUs
  gedge.provision.cpu_plan:
    intent: {profile: pinned-numa, latency: low}
    kubelet: {kube_reserved: {cpu: 500m}}
"""

RETURN = r"""
ansible_facts:
  description: >-
    C(gedge_topology), and C(gedge_cpu_plan) with reserved, isolated, shared and offline (sets of CPUs, as lists),
    allocatable_millicpu, kubelet (fields of the KubeletConfiguration), kernel_arguments, huge_pages, tuning, alignment
    and decisions (subject, choice, reason).
  type: dict
  returned: always
"""
