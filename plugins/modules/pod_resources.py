#!/usr/bin/python
"""Tell which CPUs, memory and devices the pods of a node have. Changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_resources
short_description: CPUs, memory and devices that the containers of a node own
description:
  - Asks the kubelet's pod-resources API over its socket, and reads the states of its CPU and memory managers and those
    settings that concern them. Nothing is changed and nothing is judged here.
  - Sets of CPUs are lists in the kernel's spelling, as 0-3,8; empty for none.
  - Init containers are told by the state files only, and only while their pod is there.
options: {}
attributes:
  check_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Look at what pods own
  gedge.provision.pod_resources:
"""

RETURN = r"""
ansible_facts:
  description: >-
    C(gedge_pod_resources), with pods (namespace, name, containers with name, cpus, memory, devices), allocatable (cpus,
    memory, devices; no CPUs where nobody can own any), cpu_state and memory_state (whether it is readable, policy,
    shared, which are the CPUs that nobody owns, and the entries as they stand in the file, by UID of the pod and
    container; null without such a file), pod_names (namespace/name by UID), and kubelet (lines of its configuration, as
    YAML). Memory has kind, bytes and numa_nodes, devices have resource, ids and numa_nodes.
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.grpc_unary import CallError
from ..module_utils.pod_resources import SOCKET, read_pod_resources


def main():
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        found = read_pod_resources()
    except (CallError, ValueError) as error:
        module.fail_json(
            msg="the kubelet does not tell what pods own (%s): %s -> look at it there: systemctl status kubelet; "
            "a host that is no node yet becomes one by gedge apply" % (SOCKET, error)
        )
    module.exit_json(changed=False, ansible_facts={"gedge_pod_resources": found})


if __name__ == "__main__":
    main()
