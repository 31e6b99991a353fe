#!/usr/bin/python
"""Move a node's pods away and keep new ones off it, or let them return."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_drain
short_description: Move a node's pods away and keep new ones off it, or let them return
description:
  - Runs on a control-plane node. Evicts by C(kubectl drain), which respects disruption budgets. Pods of DaemonSets
    stay; pods that nothing would create again are refused by name.
  - A node whose kubelet does not answer is only cordoned.
  - A node that somebody else has cordoned stays cordoned; a cordon of ours is known by its field manager,
    C(gedge-cordon).
  - Ends with whoever called it; a node on which it was cut off stays cordoned.
options:
  node:
    description: Name of the node; one that the cluster does not have is drained.
    type: str
    required: true
  state:
    description: >-
      V(drained) cordons it and evicts its pods, V(schedulable) undoes the cordon, V(drainable) only asks whether there
      are pods that cannot be evicted.
    type: str
    choices: [drained, schedulable, drainable]
    default: drained
  timeout_s:
    description: Seconds after which eviction is given up; the node is then opened again.
    type: int
    default: 300
  remedy:
    description: What else helps where pods cannot be moved; ends the message.
    type: str
    default: ""
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
- name: Move the node's pods away
  gedge.provision.node_drain:
    node: gedgew01
  delegate_to: gedgem01
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
"""

import os
import select
import subprocess
import sys
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host_state import NO_PROXY, host_lock, made
from ..module_utils.kube_client import ADMIN_CONF, NOT_FOUND, KubeClient, KubeError

KUBECTL = "/usr/local/bin/kubectl"
CORDON_MANAGER = "gedge-cordon"
NOISE = ("Warning: ignoring DaemonSet", "evicting", "error: unable to drain node")


def main():
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["drained", "schedulable", "drainable"], "default": "drained"},
            "timeout_s": {"type": "int", "default": 300},
            "remedy": {"type": "str", "default": ""},
            "kubeconfig": {"type": "path", "default": ADMIN_CONF},
        },
        supports_check_mode=True,
    )
    name = module.params["node"]
    objects = [made("node", name, "drain")] if module.params["state"] == "drained" else []
    if module.check_mode:
        module.exit_json(changed=bool(objects), objects=objects)
    try:
        api = KubeClient(module.params["kubeconfig"])
        node = api.get("/api/v1/nodes/" + name)
        if objects:
            # Shared with other nodes' drains; the next run waits for what a killed one left at work.
            with host_lock(module, 300, shared=True):
                drain(module, api, node)
        elif module.params["state"] == "drainable":
            if kubelet_answers(api, name):
                look_ahead(module)
        elif cordoned_by_us(node):
            cordon(api, name, False)
    except KubeError as error:
        # A question only: what does not answer may be what this run is about to mend.
        if error.status != NOT_FOUND and module.params["state"] != "drainable":
            module.fail_json(msg="%s cannot be drained or opened again: %s" % (name, error))
    module.exit_json(changed=bool(objects), objects=objects)


def cordoned_by_us(node):
    """Tell whether the cordon is ours: nobody has opened the node since and cordoned it again."""
    return bool(node["spec"].get("unschedulable")) and any(
        entry["manager"] == CORDON_MANAGER and "f:unschedulable" in entry["fieldsV1"].get("f:spec", {})
        for entry in node["metadata"].get("managedFields", [])
    )


def cordon(api, name, cordoned):
    """Cordon a node under our name, or open it."""
    patch = {"spec": {"unschedulable": True if cordoned else None}}
    api.patch("/api/v1/nodes/%s?fieldManager=%s" % (name, CORDON_MANAGER), patch)


def kubelet_answers(api, name):
    """Tell whether anybody is there who would end pods; to wait for that would keep a broken node from being mended."""
    try:
        api.get("/api/v1/nodes/%s/proxy/configz" % name)
    except KubeError:
        return False
    return True


def drain(module, api, node):
    name = module.params["node"]
    ours = cordoned_by_us(node) or not node["spec"].get("unschedulable")
    if ours:
        cordon(api, name, True)
    if not kubelet_answers(api, name):
        module.warn("the kubelet of %s does not answer, so its pods cannot be moved; the node is cordoned" % name)
        return
    rc, printed = kubectl_drain(module, "--timeout=%ds" % module.params["timeout_s"])
    if rc == 0:
        return
    if ours:
        cordon(api, name, False)
    refuse(module, printed)


def look_ahead(module):
    """Fail if there are pods that kubectl would refuse to evict; whatever else it says is for the drain itself."""
    rc, printed = kubectl_drain(module, "--dry-run=client")
    if rc != 0 and "cannot delete" in printed:
        refuse(module, printed)


def kubectl_drain(module, option):
    argv = [KUBECTL, "--kubeconfig", module.params["kubeconfig"], "drain", module.params["node"], option]
    return call([*argv, "--ignore-daemonsets", "--delete-emptydir-data"])


def refuse(module, printed):
    name = module.params["node"]
    said = [line for line in printed.splitlines() if line.startswith(("error", "cannot")) or ": " in line]
    said = [line for line in said if not line.startswith(NOISE)] or printed.splitlines()
    remedies = ["mend that (kubectl get pods -A --field-selector spec.nodeName=%s)" % name, module.params["remedy"]]
    module.fail_json(
        msg="%s cannot be drained: %s -> %s" % (name, "; ".join(said)[-800:], "; ".join(filter(None, remedies)))
    )


def call(argv):
    """Run kubectl; end it, and this module, when nobody is left who would read the answer."""
    environment = dict(os.environ, KUBECACHEDIR="/run/gedge/kubectl", **NO_PROXY)
    caller = select.poll()
    caller.register(sys.stdout.fileno(), 0)  # no event is asked for: a broken pipe is told always
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        try:
            kubectl = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
        except OSError as error:
            return 127, "error: %s" % error
        while kubectl.poll() is None:
            if caller.poll(200):
                kubectl.kill()
                kubectl.wait()
                sys.exit(1)
        output.seek(0)
        return kubectl.returncode, output.read()


if __name__ == "__main__":
    main()
