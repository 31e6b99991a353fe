#!/usr/bin/python
"""Set huge pages aside while a host runs, or give them back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: huge_pages
short_description: Huge pages that are set aside while a host runs, now and at every boot
description:
  - Brings the numbers of huge pages of NUMA nodes to what is asked for, without a reboot. A systemd unit does it again
    at every boot, before the kubelet starts. Pages that are asked for no more go back to what the boot began with.
  - Where the kernel cannot give all of them, because its memory is in pieces, all is as it was, and the module fails.
  - The kubelet counts huge pages when it starts; C(gedge_huge_pages) says whether it has to start again for that.
  - On a node that shares its kernel (a container) nothing applies.
options:
  pages:
    description: >-
      Numbers of pages, by NUMA node and size in KiB, as C({"0": {"2048": 64}}). Empty gives everything back.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Set 64 huge pages of 2Mi aside on each of two NUMA nodes
  gedge.provision.huge_pages:
    pages: {"0": {"2048": 64}, "1": {"2048": 64}}
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
ansible_facts:
  description: >-
    C(gedge_huge_pages), with applicable (false on a node that shares its kernel) and numbers (fewer where there were
    fewer pages of a kind to be than there are; more where there were more to be, or where the kubelet that runs here
    was started before we changed them last; else same).
  type: dict
  returned: always
"""

import contextlib
import json
import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import huge_pages
from ..module_utils.host_state import files_made, host_lock, in_container, made, return_file, sync_file
from ..module_utils.programs import look

UNIT = "gedge-huge-pages.service"
UNIT_FILE = "/etc/systemd/system/" + UNIT
PROGRAM, SETTINGS = "/usr/local/sbin/gedge-huge-pages", "/etc/gedge/huge-pages.json"
LINK = "/etc/systemd/system/multi-user.target.wants/" + UNIT
UNIT_TEXT = """# Written by gedge-provision; local changes are lost at the next run.
[Unit]
Description=Huge pages of NUMA nodes (gedge-provision)
Before=kubelet.service containerd.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/env python3 %s %s

[Install]
WantedBy=multi-user.target
""" % (PROGRAM, SETTINGS)


def main():
    module = AnsibleModule(
        argument_spec={"pages": {"type": "dict", "default": {}}},
        supports_check_mode=True,
    )
    pages = module.params["pages"]
    if in_container():
        if pages:
            module.warn("huge pages do not apply here: the node is a container, and shares its machine's kernel")
        facts = {"applicable": False, "numbers": "same"}
        module.exit_json(changed=False, objects=[], ansible_facts={"gedge_huge_pages": facts})
    try:
        with contextlib.nullcontext() if module.check_mode else host_lock(module, 300):
            due = huge_pages.differing(huge_pages.targets(pages))
            fewer = any((found or 0) > count for _, found, count in due)
            numbers = "fewer" if fewer else "more" if due or kubelet_is_older() else "same"
            facts = {"applicable": True, "numbers": numbers}
            objects, diffs = work(module, pages, due)
    except huge_pages.PagesError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(objects), objects=objects, diff=diffs, ansible_facts={"gedge_huge_pages": facts})


def work(module, pages, due):
    check = module.check_mode
    if due and not check:
        huge_pages.set_aside(huge_pages.targets(pages))
    objects = [made("huge_pages", "%d of %s" % (count, huge_pages.spoken(path)), "set") for path, _, count in due]
    contents = {
        PROGRAM: (huge_pages.__loader__.get_source(huge_pages.__name__), 0o755),
        SETTINGS: (json.dumps(pages, indent=1, sort_keys=True) + "\n", 0o644),
        UNIT_FILE: (UNIT_TEXT, 0o644),
    }
    found = [
        sync_file(path, text, mode, check) if pages else return_file(path, check)
        for path, (text, mode) in contents.items()
    ]
    diffs = [diff for diff in found if diff]
    objects += files_made(diffs)
    enabled = os.path.lexists(LINK)
    if bool(pages) != enabled:
        objects.append(made("unit", UNIT, "enable" if pages else "disable"))
    if check:
        return objects, diffs
    if diffs:
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)
    if pages and not enabled:
        module.run_command(["systemctl", "enable", UNIT], check_rc=True)
    if not pages and enabled:
        os.unlink(LINK)  # systemctl knows no unit any more whose file has gone
    return objects, diffs


def kubelet_is_older():
    """Tell whether the kubelet that runs here was started before we changed the numbers of pages last."""
    properties = "--property=ActiveState,ExecMainStartTimestampMonotonic"
    _, out, _ = look(["systemctl", "show", properties, "kubelet.service"])
    state = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    started = int(state.get("ExecMainStartTimestampMonotonic") or 0) / 1e6
    return state.get("ActiveState") == "active" and 0 < started < huge_pages.noted()["changed_at"]


if __name__ == "__main__":
    main()
