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
  - A node that somebody else has cordoned stays cordoned; one that a killed run has cordoned is known by an annotation.
options:
  node:
    description: Name of the node; one that the cluster does not have is drained.
    type: str
    required: true
  state:
    description: V(drained) cordons it and evicts its pods, V(schedulable) undoes the cordon.
    type: str
    choices: [drained, schedulable]
    default: drained
  timeout_s:
    description: Seconds after which eviction is given up; the node is then opened again.
    type: int
    default: 300
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

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host_state import NO_PROXY, made
from ..module_utils.kube_client import ADMIN_CONF, NOT_FOUND, KubeClient, KubeError

KUBECTL = "/usr/local/bin/kubectl"
OURS = "gedge.dev/cordoned"


def main():
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["drained", "schedulable"], "default": "drained"},
            "timeout_s": {"type": "int", "default": 300},
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
            drain(module, api, node)
        elif cordoned_by_us(node):
            cordon(api, name, False)
    except KubeError as error:
        if error.status != NOT_FOUND:
            module.fail_json(msg="%s cannot be drained or opened again: %s" % (name, error))
    module.exit_json(changed=bool(objects), objects=objects)


def cordoned_by_us(node):
    return OURS in node["metadata"].get("annotations", {})


def cordon(api, name, cordoned):
    """Cordon and leave word that it was us, in one step, or undo both."""
    patch = {"metadata": {"annotations": {OURS: "true" if cordoned else None}}, "spec": {"unschedulable": cordoned}}
    api.patch("/api/v1/nodes/" + name, patch)


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
    argv = [KUBECTL, "--kubeconfig", module.params["kubeconfig"], "drain", name]
    argv += ["--ignore-daemonsets", "--delete-emptydir-data", "--timeout=%ds" % module.params["timeout_s"]]
    rc, out, err = module.run_command(argv, environ_update=dict(NO_PROXY, KUBECACHEDIR="/run/gedge/kubectl"))
    if rc == 0:
        return
    if ours:
        cordon(api, name, False)
    said = [line for line in (err or out).splitlines() if not line.startswith("Warning: ignoring DaemonSet")]
    module.fail_json(
        msg="%s cannot be drained: %s -> mend that (kubectl get pods -A --field-selector spec.nodeName=%s), or set "
        "rollout.drain to false in the site file" % (name, " ".join(said)[-800:], name)
    )


if __name__ == "__main__":
    main()
