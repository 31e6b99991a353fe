#!/usr/bin/python
"""Documentation of the action plugin `kube_apply`; the work is done on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_apply
short_description: Server-side apply of manifests, with change detection, in one call
description:
  - Runs C(kubectl) on a control-plane node under the field manager C(gedge). An object counts as changed when
    what the API server notes as owned by that manager changes, and when others have added to it; what they added goes.
  - Node objects are special. Only those that exist are changed, labels and taints are told one by one, C(taints) of
    Kubernetes itself stay, and C(unschedulable=false) opens a node that M(gedge.provision.node_drain) left cordoned.
options:
  manifests:
    description: YAML, several documents.
    type: str
    required: true
  prune:
    description: >-
      Delete objects of these C(kinds) that carry the label C(gedge.dev/role), that of an C(owner) or of any but
      C(not_owners), and that the manifests do not have.
    type: dict
    suboptions:
      owner:
        description: Value of the label; unset means any.
        type: str
      not_owners:
        description: Values of the label whose objects stay.
        type: list
        elements: str
        default: []
      kinds:
        description: Kinds as C(kubectl get) takes them. A definition of a kind that is annotated
          with C(gedge.dev/keep-while-used) stays while others have objects of it.
        type: list
        elements: str
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
