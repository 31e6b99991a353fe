#!/usr/bin/python
"""Restart a joined node's kubelet with new settings, in one call that can be repeated after being killed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubelet_restart
short_description: Restart a joined node's kubelet with new settings
description:
  - What the kubelet runs with is kept first (its configuration, the files here, the state of its CPU and memory
    managers); then it is stopped, states that do not fit the new settings are removed (O(resets); it refuses to start
    on those), kubeadm merges the cluster's kubelet configuration and the node's settings, and the kubelet is started.
    It must answer on its health port, else everything is put back and the kubelet runs as before.
  - The node's copy of the settings is removed first, and written by O(state=settled) when the node is well again, so
    that the run after one that was killed sees a difference still. What was kept stays until then, so that such a run
    goes back to what really worked, too.
  - Does nothing when no file differs and nobody has touched the kubelet's own configuration, unless O(due).
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
      restarts:
        description: Accepted for the same reason.
        type: bool
        default: true
  resets:
    description: Managers that begin a new state. The pods that stay keep the CPUs and the memory of the others.
    type: list
    elements: str
    choices: [cpu, memory]
    default: [cpu, memory]
  settings:
    description: What differs, in words; only told.
    type: list
    elements: str
    default: []
  due:
    description: A restart is due for another reason; what a kubelet reads only when it starts has changed.
    type: bool
    default: false
  state:
    description: >-
      V(restarted) restarts the kubelet with the new settings, V(settled) notes that the node is well with them,
      V(restored) brings the kubelet back to what was kept, for a node that is not well.
    type: str
    choices: [restarted, settled, restored]
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
import json
import os
import re
import shutil
import socket
import time
import urllib.request

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host_state import (
    CPU_STATE,
    KUBELET_CONFIG,
    KUBELET_KEPT,
    NO_PROXY,
    files_made,
    host_lock,
    kubelet_touched,
    made,
    note_kubelet_config,
    read_record,
    read_text,
    sync_file,
    write_atomically,
    write_record,
)
from ..module_utils.programs import look

KUBEADM = "/usr/local/bin/kubeadm"
NEW_PATCHES = "/run/gedge/patches"
BACKUPS = "/etc/kubernetes/tmp/kubeadm-kubelet-config*"
STATE_FILES = {"cpu": CPU_STATE, "memory": "/var/lib/kubelet/memory_manager_state"}
UNIT = "kubelet.service"
SERVER = ("127.0.0.1", 10250)
HEALTH = "http://127.0.0.1:10248/healthz"
OK = 200
WELL_AFTER_S = 90
MOST_RESTARTS = 2
STEADY_S = 2.0


def main():
    options = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "hold": {"type": "bool", "default": False},
        "restarts": {"type": "bool", "default": True},
    }
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": options},
            "resets": {"type": "list", "elements": "str", "choices": list(STATE_FILES), "default": list(STATE_FILES)},
            "settings": {"type": "list", "elements": "str", "default": []},
            "due": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["restarted", "settled", "restored"], "default": "restarted"},
        },
        supports_check_mode=True,
    )
    files = module.params["files"]
    if module.params["state"] == "restored":
        if not module.check_mode:
            with host_lock(module, 300):
                words, well = put_back(module)
            if not well:
                module.fail_json(msg="%s -> journalctl -u %s; the node stays cordoned" % (words, UNIT))
        module.exit_json(changed=not module.check_mode, objects=[])
    if module.params["state"] == "settled":
        if not module.check_mode:
            settle(files[-1])
        module.exit_json(changed=False, objects=[])  # they were named when the kubelet was restarted
    diffs = [diff for diff in (sync_file(file["path"], file["content"], 0o644, True) for file in files) if diff]
    objects = files_made(diffs)
    objects += [made("file", path, "change") for path in kubelet_touched()]
    if not objects and not module.params["due"]:
        module.exit_json(changed=False, objects=[])
    objects += [made("setting", words, "change") for words in module.params["settings"]]
    states = [STATE_FILES[name] for name in module.params["resets"]]
    objects += [made("file", path, "reset") for path in states if os.path.exists(path)]
    objects.append(made("unit", UNIT, "restart"))
    if not module.check_mode:
        with host_lock(module, 300):
            restart(module, files[:-1], files[-1], states)
    module.exit_json(changed=True, objects=objects, diff=diffs)


def restart(module, files, patch, states):
    keep([file["path"] for file in files] + [patch["path"], KUBELET_CONFIG])
    write_atomically(os.path.join(NEW_PATCHES, os.path.basename(patch["path"])), patch["content"], 0o600)
    sync_file(patch["path"], None, 0o644, False)
    module.run_command(["systemctl", "stop", UNIT], check_rc=True)
    clear(states)
    for file in files:
        sync_file(file["path"], file["content"], 0o644, False)
    module.run_command(["systemctl", "daemon-reload"], check_rc=True)
    phase = [KUBEADM, "upgrade", "node", "phase", "kubelet-config", "--patches", NEW_PATCHES]
    rc, out, err = module.run_command(phase, environ_update=NO_PROXY)
    if rc != 0:
        refuse(module, "kubeadm cannot compute the kubelet's configuration: %s" % (err or out).strip()[-800:])
    started = module.run_command(["systemctl", "start", UNIT])
    if started[0] != 0 or not is_well():
        refuse(module, "%s does not run with the new settings: %s" % (UNIT, why(module) or started[2].strip()))
    shutil.rmtree(NEW_PATCHES, ignore_errors=True)


def refuse(module, message):
    """Bring the former kubelet back, and say why the new one cannot be."""
    module.fail_json(msg="%s -> correct the settings; %s" % (message, put_back(module)[0]))


def why(module):
    """Return the last error that the kubelet ended with, else its last lines."""
    _, journal, _ = module.run_command(["journalctl", "--unit", UNIT, "--lines", "60", "--output", "cat"])
    ends = re.findall(r'"command failed" err="((?:[^"\\]|\\.)*)"', journal)
    said = [ends[-1].replace('\\"', '"')] if ends else journal.splitlines()[-5:]
    return "; ".join(said)[-800:]


def keep(paths):
    """Keep what the kubelet runs with, unless an earlier try kept it and never ended well."""
    if read_record(KUBELET_KEPT):
        return
    texts = {path: read_text(path) for path in paths}
    states = {path: read_text(path) for path in STATE_FILES.values()}
    write_record(
        KUBELET_KEPT, {"files": texts, "states": {path: text for path, text in states.items() if text is not None}}
    )


def clear(states):
    """Let managers begin anew."""
    for state in states:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(state)


def put_back(module):
    """Bring the kubelet back to what was kept; return how it is, for a message, and whether it is well."""
    kept = read_record(KUBELET_KEPT)
    if not kept:
        well = is_well()
        return "%s %s" % (UNIT, "runs" if well else "does not run: %s" % why(module)), well
    module.run_command(["systemctl", "stop", UNIT])
    module.run_command(["systemctl", "reset-failed", UNIT])
    for path, text in kept["files"].items():
        if path != KUBELET_CONFIG:
            sync_file(path, text, 0o644, False)
        elif text is not None:
            write_atomically(path, text, 0o644)
    clear(STATE_FILES.values())
    for path, text in kept["states"].items():
        if readable(text):
            write_atomically(path, text, 0o600)
    module.run_command(["systemctl", "daemon-reload"])
    module.run_command(["systemctl", "start", UNIT])
    if not is_well():
        clear(STATE_FILES.values())  # a state that does not fit any more: pods that own CPUs may get others
        module.run_command(["systemctl", "restart", UNIT])
        if not is_well():
            # All is back: kept any longer, it would be what a much later change goes back to.
            write_record(KUBELET_KEPT, {})
            return "the former settings are back, and %s does not run with them either: %s" % (UNIT, why(module)), False
    note_kubelet_config()
    shutil.rmtree(NEW_PATCHES, ignore_errors=True)
    write_record(KUBELET_KEPT, {})
    return "the former settings are back, and it runs with them", True


def readable(text):
    """Tell whether a state file holds what a kubelet can read."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def is_well():
    """Wait until the kubelet answers, and still does some seconds later: it answers before it reads its states.

    One that systemd has to start again and again is given up early.
    """
    now = time.monotonic
    deadline, before, well_since = now() + WELL_AFTER_S, restarts(), None
    while now() < deadline:
        if not answers():
            well_since = None
            if restarts() - before >= MOST_RESTARTS:
                return False
        elif well_since is None:
            well_since = now()
        elif now() - well_since > STEADY_S:
            return True
        time.sleep(0.3)
    return False


def answers():
    """Tell whether the kubelet answers on its health port and serves the control plane."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(HEALTH, timeout=2) as answer, socket.create_connection(SERVER, timeout=2):
            return answer.status == OK
    except OSError:
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
    write_record(KUBELET_KEPT, {})


if __name__ == "__main__":
    main()
