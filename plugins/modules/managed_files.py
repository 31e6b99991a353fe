#!/usr/bin/python
"""Write whole files on a host and keep the units that read them running, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: managed_files
short_description: Write whole files on a host and keep the units that read them running, in one call
description:
  - Each file is written atomically and only when its content or mode differs.
  - The original of a file that was there before is kept, and comes back when the node is reset.
  - A unit that a killed run left unrestarted after its files had changed is restarted by the next run.
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      content:
        description: The whole content; with O(files[].state=absent) it is not used.
        type: str
        default: ""
      mode:
        description: Octal mode.
        type: str
        default: "0644"
      state:
        description: Whether the file is there.
        type: str
        choices: [present, absent]
        default: present
      restarts:
        description: Whether O(units) read it, so that they restart when it changes.
        type: bool
        default: true
      hold:
        description: >-
          Leave the file as it is and name it in RV(held) when it differs, for a role that asks for consent first.
        type: bool
        default: false
  only_below:
    description: >-
      Folders below which files that an earlier call wrote, and that are no longer in the list, are taken back: what was
      there before comes back, else the file goes.
    type: list
    elements: path
    default: []
  remove_folders:
    description: Folders that programs of ours made, removed with all that is in them.
    type: list
    elements: path
    default: []
  units:
    description: >-
      systemd units that read these files. Each is enabled and started, and restarted (or reloaded) only when a file
      changed.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The unit.
        type: str
        required: true
      on_change:
        description: What a changed file asks for.
        type: str
        choices: [restart, reload]
        default: restart
      state:
        description: V(absent) disables and stops it before its file goes; its files have O(files[].restarts=false).
        type: str
        choices: [started, absent]
        default: started
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Configure the runtime
  gedge.provision.managed_files:
    files:
      - path: /etc/containerd/config.toml
        content: "{{ lookup('ansible.builtin.template', 'config.toml.j2') }}"
    units:
      - name: containerd.service
"""

RETURN = r"""
held:
  description: The files that differ and were left as they are, since they are on hold.
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      type: str
    before:
      description: Its content; empty where there is none.
      type: str
  returned: always
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
"""

import contextlib
import os
import shutil

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host_state import (
    files_made,
    forget_folder,
    host_lock,
    made,
    read_record,
    return_file,
    sync_file,
    write_record,
)
from ..module_utils.programs import look

UNIT_FOLDERS = ("/etc/systemd/system/", "/usr/lib/systemd/system/")


def main():
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str", "default": ""},
                    "mode": {"type": "str", "default": "0644"},
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                    "restarts": {"type": "bool", "default": True},
                    "hold": {"type": "bool", "default": False},
                },
            },
            "only_below": {"type": "list", "elements": "path", "default": []},
            "remove_folders": {"type": "list", "elements": "path", "default": []},
            "units": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "on_change": {"type": "str", "choices": ["restart", "reload"], "default": "restart"},
                    "state": {"type": "str", "choices": ["started", "absent"], "default": "started"},
                },
            },
        },
        supports_check_mode=True,
    )
    with contextlib.nullcontext() if module.check_mode else host_lock(module, 300):
        sync(module)


def sync(module):
    units = [unit for unit in module.params["units"] if unit["state"] == "started"]
    gone = [unit["name"] for unit in module.params["units"] if unit["state"] == "absent"]
    ended = end_units(module, gone)
    diffs, held = write_files(module, [unit["name"] for unit in units])
    if gone and diffs and not module.check_mode:  # a failure of a unit that went would be told for ever
        module.run_command(["systemctl", "reset-failed", *gone])
    diffs += take_back(module)
    beside = {file["path"] for file in module.params["files"] if not file["restarts"]}
    actions = keep_units(module, units, changed=any(diff["after_header"] not in beside for diff in diffs))
    objects = ended + files_made(diffs) + [made("unit", name, verb) for verb, name in actions]
    for folder in module.params["remove_folders"]:
        if os.path.isdir(folder) and not os.path.islink(folder):
            objects.append(made("folder", folder, "remove"))
            if not module.check_mode:
                shutil.rmtree(folder, ignore_errors=True)
                if not os.path.exists(folder):
                    forget_folder(folder)
    if actions:
        text = "".join("%s %s\n" % action for action in actions)
        diffs.append({"before": "", "after": text, "after_header": "units"})
    module.exit_json(
        changed=bool(objects),
        held=held,
        objects=objects,
        diff=diffs,
    )


def write_files(module, units):
    """Write what differs; before the first file the units are marked as due: a killed run cannot forget them."""
    diffs, held, due = [], [], False
    for file in module.params["files"]:
        content = file["content"] if file["state"] == "present" else None
        mode = int(file["mode"], 8)
        try:
            diff = sync_file(file["path"], content, mode, True)
            if diff and file["hold"]:
                held.append({"path": file["path"], "before": diff["before"]})
                continue
            if diff and not module.check_mode:
                if file["restarts"] and not due:
                    mark_due(units, True)
                    due = True
                sync_file(file["path"], content, mode, False)
        except OSError as error:
            module.fail_json(msg="%s cannot be written: %s" % (file["path"], error.strerror))
        if diff:
            diffs.append(diff)
    if not module.check_mode and any(diff["after_header"].startswith(UNIT_FOLDERS) for diff in diffs):
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)
    return diffs, held


def take_back(module):
    """Take back what an earlier call wrote below the folders that are ours alone."""
    wanted = {file["path"] for file in module.params["files"]}
    folders = tuple(folder.rstrip("/") + "/" for folder in module.params["only_below"])
    gone = [path for path in sorted(read_record("files.json")) if path.startswith(folders) and path not in wanted]
    return [diff for diff in (return_file(path, module.check_mode) for path in gone) if diff]


def mark_due(units, due):
    record = read_record("due_units.json")
    for unit in units:
        if due:
            record[unit] = True
        else:
            record.pop(unit, None)
    write_record("due_units.json", record)


def keep_units(module, units, changed):
    """Enable and start what is not, restart or reload what reads changed files."""
    due = read_record("due_units.json") if units else {}
    actions = []
    for unit in units:
        name = unit["name"]
        active, enabled, stale = state_of(module, name)
        if stale and not module.check_mode:  # its file was written by a run that was killed before it told systemd
            module.run_command(["systemctl", "daemon-reload"], check_rc=True)
        verbs = [] if enabled else ["enable"]
        if not active:
            verbs.append("start")
        elif changed or name in due:
            verbs.append(unit["on_change"])
        actions += [(verb, name) for verb in verbs]
        if module.check_mode:
            continue
        for verb in verbs:
            rc, _, err = module.run_command(["systemctl", verb, name])
            if rc != 0:
                _, journal, _ = module.run_command(["journalctl", "--unit", name, "--lines", "5", "--output", "cat"])
                module.fail_json(
                    msg="%s cannot be brought to %s: %s %s -> journalctl -u %s"
                    % (name, verb, err.strip(), journal.strip(), name)
                )
    if units and (due or changed) and not module.check_mode:
        mark_due([unit["name"] for unit in units], False)
    return actions


def end_units(module, names):
    """Disable and stop units, before their files go; one that is not there or does nothing is left alone."""
    ended = []
    for name in names:
        active, enabled, _ = state_of(module, name)
        if active or enabled:
            ended.append(made("unit", name, "disable"))
            if not module.check_mode:
                rc, _, err = module.run_command(["systemctl", "disable", "--now", name])
                if rc != 0:
                    module.fail_json(msg="%s cannot be stopped: %s -> journalctl -u %s" % (name, err.strip(), name))
    return ended


def state_of(module, name):
    """Return whether a unit is active, enabled, and older than its file; one that is not there is none of it."""
    rc, out, err = look(["systemctl", "show", "--property=ActiveState,UnitFileState,NeedDaemonReload", name])
    if rc != 0:
        module.fail_json(
            msg="systemd does not tell of %s: %s -> see: systemctl is-system-running; run again when it answers"
            % (name, err.strip() or out.strip() or "it says nothing")
        )
    fields = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    return (
        fields.get("ActiveState") in ("active", "reloading"),
        fields.get("UnitFileState") == "enabled",
        fields.get("NeedDaemonReload") == "yes",
    )


if __name__ == "__main__":
    main()
