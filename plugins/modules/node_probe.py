#!/usr/bin/python
"""Start a pod on a node and wait until it runs: what a node says of itself is no proof that its kubelet takes pods."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_probe
short_description: Start a pod on a node and wait until it runs
description:
  - Runs on a control-plane node. The pod goes to the node without the scheduler, so that a cordoned one is tried too,
    and is removed again. It has the host's network, and an image that the node has, since containerd itself needs it.
  - On a node whose kubelet gives CPUs away it asks for a whole core, if one is free; so its CPU, memory and topology
    managers have to admit it. A node that has as many pods as it may have is not tried.
options:
  node:
    description: Name of the node.
    type: str
    required: true
  image:
    description: An image whose own command waits for ever, and that the node has; it is not pulled.
    type: str
    required: true
  cpus:
    description: CPUs of a core, of which the pod gets one for itself; 0 asks for none.
    type: int
    default: 0
  remedy:
    description: What to do when the pod does not run; ends the message.
    type: str
    default: ""
  timeout_s:
    description: Seconds until the pod must run.
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
- name: Start a pod on a node
  gedge.provision.node_probe:
    node: gedgew01
    image: registry.k8s.io/pause:3.10.2
    cpus: 2
  delegate_to: gedgem01
"""

RETURN = r"""
owned:
  description: CPUs that the pod had for itself.
  type: int
  returned: when not in check mode
seconds:
  description: Time until the pod ran.
  type: float
  returned: when not in check mode
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.kube_client import ADMIN_CONF, KubeClient, KubeError, millicpu

NAMESPACE = "/api/v1/namespaces/kube-system/pods"
ENDED = ("Failed", "Succeeded")
GONE_AFTER_S = 60
MEMORY = "16Mi"


def main():
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "cpus": {"type": "int", "default": 0},
            "remedy": {"type": "str", "default": ""},
            "timeout_s": {"type": "int", "default": 300},
            "kubeconfig": {"type": "path", "default": ADMIN_CONF},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False)
    node, name = module.params["node"], "gedge-probe-" + module.params["node"]
    try:
        api = KubeClient(module.params["kubeconfig"])
        remove(api, name)  # of a run that was killed
        cpus, (free, places) = module.params["cpus"], free_on(api, node)
        if places < 1:
            module.exit_json(changed=False, owned=0, seconds=0.0)
        owned = cpus if free >= 1000 * cpus else 0
        begun = time.monotonic()
        api.create(NAMESPACE, pod(name, node, module.params["image"], owned))
        try:
            problem = wait(api, name, module.params["timeout_s"])
        finally:
            remove(api, name)
    except KubeError as error:
        problem = str(error)
    if problem:
        remedies = [text for text in (module.params["remedy"], "kubectl describe node %s" % node) if text]
        module.fail_json(msg="%s runs no pods: %s -> %s" % (node, problem, "; ".join(remedies)))
    module.exit_json(changed=False, owned=owned, seconds=round(time.monotonic() - begun, 1))


def pod(name, node, image, cpus):
    """Return the pod; one that owns CPUs asks for whole ones, and for as much as its limit."""
    amounts = {"cpu": str(cpus), "memory": MEMORY} if cpus else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "gedge-provision"}},
        "spec": {
            "nodeName": node,
            "hostNetwork": True,
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "tolerations": [{"operator": "Exists"}],
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65535, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "imagePullPolicy": "Never",
                    "resources": {"requests": amounts, "limits": amounts},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                }
            ],
        },
    }


def free_on(api, node):
    """Return the CPU time that no pod of a node has asked for, in thousandths, and how many more pods it may have."""
    allocatable = api.get("/api/v1/nodes/" + node)["status"]["allocatable"]
    pods = api.get("/api/v1/pods?fieldSelector=spec.nodeName%3D" + node)["items"]
    asked = [requested(pod["spec"]) for pod in pods if pod["status"].get("phase") not in ENDED]
    return millicpu(allocatable["cpu"]) - sum(asked), int(allocatable["pods"]) - len(asked)


def requested(spec):
    """Return the CPU time that a pod asks for: containers that run together, or the largest that runs before them."""
    running = [cpu_of(one) for one in spec["containers"]]
    before = spec.get("initContainers", [])
    running += [cpu_of(one) for one in before if one.get("restartPolicy") == "Always"]
    return max([sum(running)] + [cpu_of(one) for one in before])


def cpu_of(container):
    return millicpu(container.get("resources", {}).get("requests", {}).get("cpu", "0"))


def wait(api, name, timeout_s):
    """Return why the pod does not run; empty when it does. An API server that is away for a moment is waited for."""
    deadline, why = time.monotonic() + timeout_s, "the pod %s was not taken notice of" % name
    while time.monotonic() < deadline:
        try:
            status = api.get("%s/%s" % (NAMESPACE, name))["status"]
        except KubeError as error:
            why = str(error)
        else:
            if status.get("phase") == "Running":
                return ""
            if status.get("phase") in ENDED:
                return "the pod %s ended: %s %s" % (name, status.get("reason", ""), status.get("message", ""))
            why = waiting(status) or why
        time.sleep(0.5)
    return "%s (waited %d s)" % (why, timeout_s)


def waiting(status):
    """Return what a pod waits for."""
    for container in status.get("containerStatuses", []):
        found = container.get("state", {}).get("waiting", {})
        if found:
            return "%s %s" % (found.get("reason", ""), found.get("message", ""))
    return ""


def remove(api, name):
    """Remove the pod, and wait until it is gone: its name and its CPUs are free then."""
    path, deadline = "%s/%s" % (NAMESPACE, name), time.monotonic() + GONE_AFTER_S
    while api.delete(path):
        if time.monotonic() > deadline:  # nobody is there who would end it
            api.delete(path + "?gracePeriodSeconds=0")
            return
        time.sleep(0.5)


if __name__ == "__main__":
    main()
