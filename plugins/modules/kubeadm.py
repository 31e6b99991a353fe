#!/usr/bin/python
"""Make a host a node by kubeadm, in one call that can be repeated after being killed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm
short_description: Start a cluster, join a host to it, hand out what a joining host needs, or forget a node
description:
  - A record on the host tells a finished step from one that was cut off; the latter is reset and done again.
  - Tokens and certificate keys travel in files that only root can read, and are removed at once; never in argv or logs.
options:
  action:
    description: >-
      V(init) starts a cluster, V(join) joins one, V(join_material) returns a short-lived token, the cluster's
      address and CA, and for control-plane nodes the key of the uploaded certificates, V(forget) deletes node objects
      (of hosts that left; a cluster that does not answer is a warning).
    type: str
    choices: [init, join, join_material, forget]
    required: true
  nodes:
    description: >-
      Node names. V(join_material) deletes objects of that name (a cut-off join leaves one, and kubeadm refuses to join
      over it); V(forget) likewise.
    type: list
    elements: str
    default: []
  config:
    description: kubeadm configuration (v1beta4 YAML) for V(init) and V(join).
    type: str
    default: ""
  node_name:
    description: Name of the node that this host becomes, for V(init) and V(join).
    type: str
    default: ""
  discovery:
    description: Kubeconfig text with the cluster's address and CA, for V(join).
    type: str
    default: ""
  control_plane:
    description: Whether V(join_material) is for control-plane nodes too.
    type: bool
    default: false
  ignore_preflight_errors:
    description: Exact names of kubeadm checks that cannot hold on this host.
    type: list
    elements: str
    default: []
  timeout_s:
    description: Seconds after which kubeadm is given up.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Start the cluster
  gedge.provision.kubeadm:
    action: init
    config: "{{ lookup('ansible.builtin.template', 'init.yml.j2') }}"
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
material:
  description: "For O(action=join_material): token, discovery (kubeconfig text), certificate_key."
  type: dict
  returned: with O(action=join_material)
"""

import contextlib
import os
import re
import subprocess
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host_state import (
    NO_PROXY,
    host_lock,
    made,
    note_kubelet_config,
    read_record,
    write_atomically,
    write_record,
)
from ..module_utils.kube_client import ADMIN_CONF, KUBELET_CONF, KubeClient, KubeError
from ..module_utils.programs import look

KUBEADM = "/usr/local/bin/kubeadm"
RUN_DIR = "/run/gedge"
LOG_DIR = "/var/log/gedge"
SECRET = re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b|\b[0-9a-f]{64}\b")


def main():
    module = AnsibleModule(
        argument_spec={
            "action": {"type": "str", "choices": ["init", "join", "join_material", "forget"], "required": True},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "config": {"type": "str", "default": "", "no_log": True},
            "node_name": {"type": "str", "default": ""},
            "discovery": {"type": "str", "default": "", "no_log": True},
            "control_plane": {"type": "bool", "default": False},
            "ignore_preflight_errors": {"type": "list", "elements": "str", "default": []},
            "timeout_s": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    if module.params["action"] == "join_material":
        hand_out(module)
    if module.params["action"] == "forget":
        forget(module)
    if is_done():
        module.exit_json(changed=False, objects=[])
    objects = [made("node", module.params["node_name"], module.params["action"])]
    if module.check_mode:
        module.exit_json(changed=True, objects=objects)
    with host_lock(module, module.params["timeout_s"]):
        if not is_done():  # a killed run's kubeadm may have finished while we waited for the lock
            make_node(module)
    module.exit_json(changed=True, objects=objects)


def is_done():
    return read_record("kubeadm.json").get("state") == "done" and os.path.exists(KUBELET_CONF)


def make_node(module):
    action = module.params["action"]
    if read_record("kubeadm.json"):
        undo_half(module)
    write_record("kubeadm.json", {"action": action, "state": "started"})
    os.makedirs(RUN_DIR, mode=0o700, exist_ok=True)
    config = os.path.join(RUN_DIR, "kubeadm.yaml")
    discovery = os.path.join(RUN_DIR, "discovery.conf")
    try:
        write_atomically(config, module.params["config"], 0o600)
        if module.params["discovery"]:
            write_atomically(discovery, module.params["discovery"], 0o600)
        argv = [KUBEADM, action, "--config", config]
        if action == "init":
            argv += ["--skip-token-print", "--skip-certificate-key-print"]
        if module.params["ignore_preflight_errors"]:
            argv.append("--ignore-preflight-errors=" + ",".join(module.params["ignore_preflight_errors"]))
        output = call(module, argv, "kubeadm-%s.log" % action)
    finally:
        for path in (config, discovery):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    if output is not None:
        module.fail_json(msg=explain(action, output))
    module.run_command(["systemctl", "enable", "kubelet.service"], check_rc=True)
    note_kubelet_config()
    write_record("kubeadm.json", {"action": action, "state": "done", "node": module.params["node_name"]})


def undo_half(module):
    """Take back what a run left that was cut off; it has never been a working node."""
    module.run_command(["systemctl", "disable", "--now", "kubelet.service"])
    call(module, [KUBEADM, "reset", "--force"], "kubeadm-reset.log")


def call(module, argv, log_name):
    """Run kubeadm; return None, or what it printed when it failed."""
    os.makedirs(LOG_DIR, mode=0o750, exist_ok=True)
    log = os.path.join(LOG_DIR, log_name)
    began = time.strftime("%Y-%m-%dT%H:%M:%S")
    try:
        done = subprocess.run(
            argv,
            env=without_proxies(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            timeout=module.params["timeout_s"],
            check=False,
        )
        output, failed = done.stdout, done.returncode != 0
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
        output = printed.decode(errors="replace") if isinstance(printed, bytes) else printed
        output, failed = output + "\nno end after %d s" % module.params["timeout_s"], True
    except FileNotFoundError:
        module.fail_json(msg="%s is missing -> install the artifacts first (role artifacts)" % KUBEADM)
    output = SECRET.sub("<hidden>", output)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("== %s %s\n%s\n" % (began, " ".join(argv), output))
    return output if failed else None


def without_proxies():
    """Return the environment without proxies: kubeadm would ask its own API server through them."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def explain(action, output):
    """Cut kubeadm's output down to the lines that say what is wrong."""
    lines = [line.strip() for line in output.splitlines()]
    errors = [line for line in lines if line.startswith(("[ERROR", "error:", "error execution", "E1"))]
    shown = errors or [line for line in lines if line][-6:]
    return (
        "kubeadm %s failed: %s -> read %s/kubeadm-%s.log and journalctl -u kubelet there; the next run starts over"
        % (
            action,
            " | ".join(shown)[:1200],
            LOG_DIR,
            action,
        )
    )


def hand_out(module):
    if module.check_mode:
        module.exit_json(changed=False, objects=[], material={"token": "", "discovery": "", "certificate_key": ""})
    _, err = delete_nodes(module)
    if err:
        module.fail_json(msg="the node objects of a cut-off join cannot be deleted: %s" % err)
    kubeadm = [KUBEADM, "--kubeconfig", ADMIN_CONF]
    token = ask(module, [*kubeadm, "token", "create", "--ttl", "15m", "--description", "gedge: joining nodes"])
    key = ""
    if module.params["control_plane"]:
        printed = ask(module, [*kubeadm, "init", "phase", "upload-certs", "--upload-certs"])
        key = printed.split()[-1]
    try:
        info = KubeClient(ADMIN_CONF).get("/api/v1/namespaces/kube-public/configmaps/cluster-info")
    except KubeError as error:
        module.fail_json(msg="the cluster's address and CA cannot be read: %s" % error)
    discovery = info["data"]["kubeconfig"]
    module.exit_json(
        changed=False, objects=[], material={"token": token.strip(), "discovery": discovery, "certificate_key": key}
    )


def forget(module):
    if not os.path.exists(ADMIN_CONF):
        module.exit_json(changed=False, objects=[])
    deleted, err = delete_nodes(module)
    if err:
        module.warn("the cluster still lists %s: %s" % (", ".join(module.params["nodes"]), err))
    module.exit_json(changed=bool(deleted), objects=[made("node", name, "forget") for name in deleted])


def delete_nodes(module):
    """Delete the node objects; return the names of those that were there, and why it failed."""
    try:
        api = KubeClient(ADMIN_CONF)
        if module.check_mode:
            known = [item["metadata"]["name"] for item in api.get("/api/v1/nodes")["items"]]
            return [name for name in module.params["nodes"] if name in known], ""
        return [name for name in module.params["nodes"] if api.delete("/api/v1/nodes/" + name)], ""
    except KubeError as error:
        return [], str(error)


def ask(module, argv):
    rc, out, err = look(argv, NO_PROXY)
    if rc != 0 or not out.strip():
        said = SECRET.sub("<hidden>", err.strip())[-600:] or "it says nothing"
        module.fail_json(msg="kubeadm %s failed: %s -> run it on this host" % (" ".join(argv[3:6]), said))
    return out


if __name__ == "__main__":
    main()
