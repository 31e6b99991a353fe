#!/usr/bin/python
"""Documentation of the action plugin `kubeconfig`; the work is done on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeconfig
short_description: Fetch the administrator's kubeconfig from a control-plane node
description:
  - Writes it on the controller, readable by this user only; nothing of it appears in the output.
options:
  src:
    description: The file on the host.
    type: path
    default: /etc/kubernetes/admin.conf
  dest:
    description: The file on the controller.
    type: path
    required: true
attributes:
  check_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Fetch the kubeconfig
  gedge.provision.kubeconfig:
    dest: ~/.kube/edge-site
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
"""
