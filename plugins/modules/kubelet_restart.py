#!/usr/bin/python
"""Restart a joined node's kubelet with new settings, in one call that can be repeated after being killed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubelet_restart
short_description: Restart a joined node's kubelet with new settings
description:
  - The kubelet is stopped, the state files of its CPU and memory managers are removed (it refuses to start on those
    that another policy wrote), kubeadm merges the cluster's kubelet configuration and the node's settings, and the
    kubelet is started. It must answer on its health port.
  - The node's copy of the settings is removed first, and written by O(state=settled) when the node is well again, so
    that the run after one that was killed sees a difference still.
  - Does nothing when no file differs and nobody has touched the kubelet's own configuration.
options:
  files:
    description: >-
      Files that the kubelet reads, with path and content; the last one is the kubeadm patch that holds the node's
      settings.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      content:
        description: The whole content.
        type: str
        required: true
      hold:
        description: Accepted for lists that M(gedge.provision.managed_files) has compared; not used.
        type: bool
        default: false
  state:
    description: >-
      V(restarted) restarts the kubelet with the new settings, V(settled) notes that the node is well with them.
    type: str
    choices: [restarted, settled]
    default: restarted
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Restart the kubelet
  gedge.provision.kubelet_restart:
    files:
      - path: /etc/kubernetes/patches/kubeletconfiguration0+merge.yaml
        content: "{{ {'cpuManagerPolicy': 'static'} | to_nice_yaml }}"
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
"""

import contextlib
import glob
import os
import shutil
import time
import urllib.request

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host_state import (
    CPU_STATE,
    NO_PROXY,
    files_made,
    host_lock,
    kubelet_touched,
    made,
    note_kubelet_config,
    sync_file,
    write_atomically,
)
from ..module_utils.programs import look

KUBEADM = "/usr/local/bin/kubeadm"
NEW_PATCHES = "/run/gedge/patches"
BACKUPS = "/etc/kubernetes/tmp/kubeadm-kubelet-config*"
STATE_FILES = (CPU_STATE, "/var/lib/kubelet/memory_manager_state")
UNIT = "kubelet.service"
HEALTH = "http://127.0.0.1:10248/healthz"
OK = 200
WELL_AFTER_S = 90
MOST_RESTARTS = 2


def main():
    options = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "hold": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": options},
            "state": {"type": "str", "choices": ["restarted", "settled"], "default": "restarted"},
        },
        supports_check_mode=True,
    )
    files = module.params["files"]
    if module.params["state"] == "settled":
        if not module.check_mode:
            settle(files[-1])
        module.exit_json(changed=False, objects=[])  # they were named when the kubelet was restarted
    diffs = [diff for diff in (sync_file(file["path"], file["content"], 0o644, True) for file in files) if diff]
    objects = files_made(diffs)
    objects += [made("file", path, "change") for path in kubelet_touched()]
    if not objects:
        module.exit_json(changed=False, objects=[])
    objects.append(made("unit", UNIT, "restart"))
    if not module.check_mode:
        with host_lock(module, 300):
            restart(module, files[:-1], files[-1])
    module.exit_json(changed=True, objects=objects, diff=diffs)


def restart(module, files, patch):
    write_atomically(os.path.join(NEW_PATCHES, os.path.basename(patch["path"])), patch["content"], 0o600)
    sync_file(patch["path"], None, 0o644, False)
    module.run_command(["systemctl", "stop", UNIT], check_rc=True)
    for state in STATE_FILES:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(state)
    for file in files:
        sync_file(file["path"], file["content"], 0o644, False)
    module.run_command(["systemctl", "daemon-reload"], check_rc=True)
    phase = [KUBEADM, "upgrade", "node", "phase", "kubelet-config", "--patches", NEW_PATCHES]
    rc, out, err = module.run_command(phase, environ_update=NO_PROXY)
    # Also after a failure: the kubelet's former configuration is still there, and a node that runs is better.
    started = module.run_command(["systemctl", "start", UNIT])
    if rc != 0:
        module.fail_json(
            msg="kubeadm cannot compute the kubelet's configuration: %s -> correct the settings, the kubelet runs with "
            "the former ones" % (err or out).strip()[-800:]
        )
    if started[0] != 0 or not is_well():
        _, journal, _ = module.run_command(["journalctl", "--unit", UNIT, "--lines", "5", "--output", "cat"])
        module.fail_json(
            msg="%s does not run with the new settings: %s %s -> journalctl -u %s; correct the settings and run again"
            % (UNIT, started[2].strip(), journal.strip()[-800:], UNIT)
        )
    shutil.rmtree(NEW_PATCHES, ignore_errors=True)


def is_well():
    """Wait until the kubelet answers; one that systemd has to start again and again is given up early."""
    deadline, before = time.monotonic() + WELL_AFTER_S, restarts()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        try:
            with opener.open(HEALTH, timeout=2) as answer:
                return answer.status == OK
        except OSError:
            if restarts() - before >= MOST_RESTARTS:
                return False
            time.sleep(0.3)
    return False


def restarts():
    """Return how often systemd has restarted the kubelet by itself; former settings count too."""
    _, out, _ = look(["systemctl", "show", "--property=NRestarts", "--value", UNIT])
    return int(out) if out.strip().isdigit() else 0


def settle(patch):
    for backup in glob.glob(BACKUPS):  # kubeadm makes one at each change, and never removes any
        shutil.rmtree(backup, ignore_errors=True)
    with contextlib.suppress(OSError):  # others may have something there
        os.rmdir(os.path.dirname(BACKUPS))
    note_kubelet_config()
    sync_file(patch["path"], patch["content"], 0o644, False)


if __name__ == "__main__":
    main()
