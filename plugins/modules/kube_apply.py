#!/usr/bin/python
"""Documentation of the action plugin `kube_apply`; the work is done on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_apply
short_description: Server-side apply of manifests, with change detection, in one call
description:
  - Runs C(kubectl) on a control-plane node under the field manager C(gedge). An object counts as changed when
    what the API server notes as owned by that manager changes.
options:
  manifests:
    description: YAML, several documents.
    type: str
    required: true
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
- name: Apply the network's objects
  gedge.provision.kube_apply:
    manifests: "{{ lookup('ansible.builtin.template', 'flannel.yml.j2') }}"
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
"""
