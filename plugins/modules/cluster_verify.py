#!/usr/bin/python
"""Verify that nodes are ready and that each running kubelet has the settings asked for."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_verify
short_description: Wait until nodes are ready, then compare each running kubelet with what was asked
description:
  - Runs on a control-plane node. Reads C(/configz) of every kubelet through the API server, so that the running
    configuration is judged and not a file.
options:
  nodes:
    description: The nodes.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Node name.
        type: str
        required: true
      kubelet:
        description: >-
          KubeletConfiguration fields that the running kubelet must have; of C(featureGates) those that are named.
        type: dict
        default: {}
      allocatable_millicpu:
        description: CPU time that the node must offer, in thousandths, within O(timeout_s); 0 is not looked at.
        type: int
        default: 0
      version:
        description: Version that the kubelet must report, with the v.
        type: str
        default: ""
      boot_id:
        description: The boot of the host that the node must have reported (after a reboot, before it counts as ready).
        type: str
        default: ""
      labels:
        description: Labels that the node must carry.
        type: dict
        default: {}
      resources:
        description: Extended resources that the node must offer, with their numbers; it has the time of O(timeout_s).
        type: dict
        default: {}
  daemon_sets:
    description: >-
      DaemonSets, as namespace/name, whose pods on these nodes must be ready and of the newest revision; waited for.
    type: list
    elements: str
    default: []
  known:
    description: >-
      Names of the nodes that the cluster may have; another one is a problem of the concern V(unknown), which never
      fails the task. Empty: not looked at.
    type: list
    elements: str
    default: []
  timeout_s:
    description: Seconds to wait for readiness.
    type: int
    default: 180
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
- name: Verify the cluster
  gedge.provision.cluster_verify:
    nodes:
      - name: gedgew01
        kubelet: {cpuManagerPolicy: static}
"""

RETURN = r"""
problems:
  description: What differs from what was asked; check mode only tells, otherwise the task fails.
  type: list
  elements: dict
  contains:
    node:
      description: The node; empty when the API server does not answer.
      type: str
    concern:
      description: api, ready, version, label, kubelet, daemon, resource or unknown.
      type: str
    message:
      description: What differs, with the node's name.
      type: str
  returned: always
nodes:
  description: Capacity and allocatable of every node.
  type: dict
  returned: always
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.kube_client import ADMIN_CONF, KubeClient, KubeError, millicpu

REVISION = "controller-revision-hash"
STRANGER = (
    "a node of the cluster that the site file does not have -> add it there; to remove it, apply, take it out again "
    "and apply with --removal-ok"
)


def main():
    module = AnsibleModule(
        argument_spec={
            "nodes": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "kubelet": {"type": "dict", "default": {}},
                    "allocatable_millicpu": {"type": "int", "default": 0},
                    "version": {"type": "str", "default": ""},
                    "boot_id": {"type": "str", "default": ""},
                    "labels": {"type": "dict", "default": {}},
                    "resources": {"type": "dict", "default": {}},
                },
            },
            "daemon_sets": {"type": "list", "elements": "str", "default": []},
            "known": {"type": "list", "elements": "str", "default": []},
            "timeout_s": {"type": "int", "default": 180},
            "kubeconfig": {"type": "path", "default": ADMIN_CONF},
        },
        supports_check_mode=True,
    )
    if module.check_mode and not os.path.exists(module.params["kubeconfig"]):
        module.exit_json(changed=False, problems=[], nodes={})
    wanted = {node["name"]: node for node in module.params["nodes"]}
    # Check mode tells what differs now, and does not fail: nodes may be about to join, settings about to change.
    timeout_s = 0 if module.check_mode else module.params["timeout_s"]
    deadline = time.monotonic() + timeout_s
    while True:
        live, error = get_nodes(module)
        reasons = {name: reason(live.get(name), node["boot_id"]) for name, node in wanted.items()}
        waiting = {name: why for name, why in reasons.items() if why}
        offered = [] if waiting else [*late_daemons(module, live, wanted), *lacking_resources(live, wanted)]
        if not (waiting or offered) or time.monotonic() > deadline:
            break
        time.sleep(1)
    problems = list(offered)
    for name, why in sorted(waiting.items()):
        problems.append(problem(name, "ready", "is not ready after %d s: %s" % (timeout_s, why)))
    if error:
        problems.append(problem("", "api", "the API server does not answer: %s" % error))
    names = sorted(set(wanted) - set(waiting))
    with ThreadPoolExecutor(max_workers=16) as pool:
        for found in pool.map(lambda name: differences(module, name, wanted[name], live[name]), names):
            problems += found
    known = module.params["known"]
    strangers = [problem(name, "unknown", STRANGER) for name in sorted(set(live) - set(known)) if known]
    if problems and not module.check_mode:
        module.fail_json(
            msg="%s -> look at kubectl describe node, journalctl -u kubelet on it"
            % "; ".join(found["message"] for found in problems),
            problems=problems + strangers,
        )
    module.exit_json(
        changed=False,
        problems=problems + strangers,
        nodes={name: {part: live[name]["status"][part] for part in ("capacity", "allocatable")} for name in names},
    )


def problem(node, concern, text):
    joined = "%s %s" if concern == "ready" else "%s: %s"
    return {"node": node, "concern": concern, "message": joined % (node, text) if node else text}


def ask(module, path):
    """Return what the API answers, and why it does not."""
    try:
        return KubeClient(module.params["kubeconfig"]).get(path), ""
    except KubeError as error:
        return None, str(error)


def get_nodes(module):
    answer, error = ask(module, "/api/v1/nodes")
    return ({item["metadata"]["name"]: item for item in answer["items"]} if answer else {}), error


def reason(node, boot_id):
    """Return why a node is not ready, or an empty string."""
    if node is None:
        return "no such node"
    if boot_id and node["status"].get("nodeInfo", {}).get("bootID") != boot_id:
        return "its kubelet has not reported since the reboot"
    for condition in node["status"].get("conditions", []):
        if condition["type"] == "Ready":
            return "" if condition["status"] == "True" else condition.get("message", "not ready")
    return "its kubelet has not reported yet"


def late_daemons(module, live, wanted):
    """Return a problem for each pod of a DaemonSet that a node lacks, or that is not ready or of an older revision."""
    found = []
    for name in module.params["daemon_sets"]:
        space, _, short = name.partition("/")
        daemon, _ = ask(module, "/apis/apps/v1/namespaces/%s/daemonsets/%s" % (space, short))
        if daemon is None:
            if not module.check_mode:
                found.append(problem("", "daemon", "there is no DaemonSet %s" % name))
            continue
        labels = ",".join("%s=%s" % pair for pair in sorted(daemon["spec"]["selector"]["matchLabels"].items()))
        answer, _ = ask(module, "/api/v1/namespaces/%s/pods?labelSelector=%s" % (space, quote(labels)))
        pods = {pod["spec"].get("nodeName"): pod for pod in (answer or {"items": []})["items"] if not leaves(pod)}
        newest = newest_revision(module, daemon, space, labels)
        chosen = daemon["spec"]["template"]["spec"].get("nodeSelector", {})
        for node in sorted(wanted):
            if all(live[node]["metadata"].get("labels", {}).get(key) == value for key, value in chosen.items()):
                why = lateness(pods.get(node), newest)
                found += [problem(node, "daemon", "the pod of %s %s" % (name, why))] if why else []
    return found


def newest_revision(module, daemon, space, labels):
    """Return the hash of a DaemonSet's newest revision; a template that came back has that of its first time.

    None while its controller has not taken notice of a change.
    """
    if daemon["status"].get("observedGeneration", 0) < daemon["metadata"]["generation"]:
        return None
    answer, _ = ask(module, "/apis/apps/v1/namespaces/%s/controllerrevisions?labelSelector=%s" % (space, quote(labels)))
    owned = [
        item
        for item in (answer or {"items": []})["items"]
        if daemon["metadata"]["uid"] in [owner["uid"] for owner in item["metadata"].get("ownerReferences", [])]
    ]
    newest = max(owned, key=lambda item: item["revision"], default=None)
    return newest["metadata"]["labels"].get(REVISION) if newest else None


def leaves(pod):
    return "deletionTimestamp" in pod["metadata"]


def lateness(pod, newest):
    """Return why a DaemonSet's pod is not as it should be, or an empty string."""
    if pod is None:
        return "is missing"
    if pod["metadata"]["labels"].get(REVISION) != newest:
        return "is of an older revision"
    for state in pod["status"].get("containerStatuses", []):
        waiting = state.get("state", {}).get("waiting", {})
        if waiting.get("reason"):
            return "is not ready: %s %s" % (waiting["reason"], waiting.get("message", "")[:200])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
    return "" if ready else "is not ready"


def lacking_resources(live, wanted):
    return [
        problem(
            name,
            "resource",
            "offers %s %s, expected are %s" % (live[name]["status"]["allocatable"].get(key, 0), key, number),
        )
        for name, node in sorted(wanted.items())
        for key, number in sorted(node["resources"].items())
        if int(live[name]["status"]["allocatable"].get(key, 0)) != int(number)
    ] + [
        problem(name, "resource", "offers %dm CPU, expected are %dm" % (offered, node["allocatable_millicpu"]))
        for name, node in sorted(wanted.items())
        for offered in [millicpu(live[name]["status"]["allocatable"]["cpu"])]
        if node["allocatable_millicpu"] not in (0, offered)
    ]


def differences(module, name, wanted, live):
    found = []
    version = live["status"]["nodeInfo"]["kubeletVersion"]
    if wanted["version"] and version != wanted["version"]:
        found.append(problem(name, "version", "the kubelet is %s, asked for is %s" % (version, wanted["version"])))
    labels = live["metadata"].get("labels", {})
    found += [
        problem(name, "label", "label %s is %s, asked for is %s" % (key, labels.get(key), value))
        for key, value in sorted(wanted["labels"].items())
        if labels.get(key) != value
    ]
    if not wanted["kubelet"]:
        return found
    answer, error = ask(module, "/api/v1/nodes/%s/proxy/configz" % name)
    if answer is None:
        return [*found, problem(name, "kubelet", "the kubelet's running configuration cannot be read: %s" % error)]
    running = answer["kubeletconfig"]
    for key, value in sorted(wanted["kubelet"].items()):
        runs = running.get(key)
        if key == "featureGates":  # the host itself may demand others
            runs = {gate: on for gate, on in (runs or {}).items() if gate in value}
        if runs != value:
            found.append(problem(name, "kubelet", "%s runs as %s, asked for is %s" % (key, runs, value)))
    return found


if __name__ == "__main__":
    main()
