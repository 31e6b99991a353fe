#!/usr/bin/python
"""Documentation of the action plugin `kubelet_rules`, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubelet_rules
short_description: Refuse settings that no kubelet starts with
description:
  - Holds fields of a KubeletConfiguration against what a kubelet of the catalog's version refuses of CPU, memory and
    topology manager, reservations and their enforcement, and against the names and kinds of all its fields; changes
    nothing.
  - With the fact C(gedge_host) (M(gedge.provision.preflight)) also against what the host has.
  - Fails with every reason and its remedy.
  - Needs the Python package gedge-provision beside ansible-core on the controller; without it, it warns and checks
    nothing.
options:
  config:
    description: Fields of the KubeletConfiguration (v1beta1), in the kubelet's own words.
    type: dict
    required: true
  control_plane:
    description: Whether the static pods of a control plane run there, which need CPU time that is not reserved.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Refuse settings that no kubelet starts with
  gedge.provision.kubelet_rules:
    config: {cpuManagerPolicy: static, kubeReserved: {cpu: 500m}}
"""

RETURN = r"""
checked:
  description: The fields, as they were given.
  type: dict
  returned: success
"""
