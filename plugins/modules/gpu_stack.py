#!/usr/bin/python
"""Documentation of the action plugin `gpu_stack`; the work is done on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_stack
short_description: Wait until the GPU operator's stack is validated on every node, or tell what is not and why
description:
  - Runs C(kubectl) on a control-plane node, and judges DaemonSets, pods, events, the operator's own object and what
    nodes offer. Needs the Python package gedge-provision on the controller.
  - Meanwhile it tells how many nodes are validated and what the next one waits for, in a line whenever that changes.
  - After O(timeout_s) it fails with the parts that are not well, their nodes, causes that are known with what to do,
    and the last lines of logs.
options:
  namespace:
    description: The operator's namespace.
    type: str
    required: true
  nodes:
    description: Nodes that must have the stack, besides those on which the operator has found a GPU.
    type: list
    elements: str
    default: []
  resources:
    description: Whether nodes must offer GPUs as resources; not where pods get them by claims.
    type: bool
    default: true
  timeout_s:
    description: Seconds to wait.
    type: int
    default: 1800
  kubeconfig:
    description: Credentials on the host.
    type: path
    default: /etc/kubernetes/admin.conf
attributes:
  check_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Wait for the operator
  gedge.provision.gpu_stack:
    namespace: gpu-operator
    nodes: [gedgew01]
"""

RETURN = r"""
findings:
  description: What is not well, each with part, node, cause (a word), text, remedy and lines (of the log).
  type: list
  elements: dict
  returned: always
"""
