#!/usr/bin/python
"""The CNI configuration of a node: bridge and host-local on the node's own pod range."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_network
short_description: Write a node's CNI configuration from the pod range that the cluster gave it
description:
  - Asks the API server with the kubelet's own certificate for the node's pod range, waits until it has one, and writes
    the configuration with the standard plugins bridge, host-local and portmap.
options:
  node_name:
    description: Name of this node.
    type: str
    required: true
  pod_network:
    description: The range of all pods, routed through the bridge.
    type: str
    required: true
  mtu:
    description: MTU of the pods' interfaces.
    type: int
    required: true
  path:
    description: The configuration file.
    type: path
    default: /etc/cni/net.d/10-flannel.conflist
  timeout_s:
    description: Seconds to wait for the pod range.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Configure the pod network
  gedge.provision.pod_network:
    node_name: gedgew01
    pod_network: 10.244.0.0/16
    mtu: 1450
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
pod_range:
  description: The node's own pod range; empty in check mode on a host that has not joined.
  type: str
  returned: always
"""

import json
import os
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host_state import files_made, made, sync_file
from ..module_utils.kube_client import KUBELET_CONF, KubeClient, KubeError


def main():
    module = AnsibleModule(
        argument_spec={
            "node_name": {"type": "str", "required": True},
            "pod_network": {"type": "str", "required": True},
            "mtu": {"type": "int", "required": True},
            "path": {"type": "path", "default": "/etc/cni/net.d/10-flannel.conflist"},
            "timeout_s": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    if module.check_mode and not os.path.exists(KUBELET_CONF):
        module.exit_json(changed=True, objects=[made("file", module.params["path"], "create")], pod_range="")
    pod_range = wait_for_pod_range(module)
    content = json.dumps(conflist(pod_range, module.params["pod_network"], module.params["mtu"]), indent=2) + "\n"
    diff = sync_file(module.params["path"], content, 0o644, module.check_mode)
    diffs = [diff] if diff else []
    module.exit_json(changed=bool(diffs), objects=files_made(diffs), diff=diffs, pod_range=pod_range)


def conflist(pod_range, pod_network, mtu):
    return {
        "cniVersion": "1.0.0",
        "name": "cbr0",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "mtu": mtu,
                "isGateway": True,
                "isDefaultGateway": True,
                "hairpinMode": True,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": pod_range}]],
                    "routes": [{"dst": pod_network}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def wait_for_pod_range(module):
    deadline = time.monotonic() + module.params["timeout_s"]
    reason = "not asked yet"
    while time.monotonic() < deadline:
        try:
            node = KubeClient(KUBELET_CONF).get("/api/v1/nodes/" + module.params["node_name"])
            if node.get("spec", {}).get("podCIDR"):
                return node["spec"]["podCIDR"]
            reason = "the controller manager has given it none"
        except KubeError as error:
            reason = str(error)
        time.sleep(0.5)
    module.fail_json(
        msg="node %s has no pod range after %d s (%s) -> look at kube-controller-manager and journalctl -u kubelet"
        % (module.params["node_name"], module.params["timeout_s"], reason)
    )
    return None


if __name__ == "__main__":
    main()
