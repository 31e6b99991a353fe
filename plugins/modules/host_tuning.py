#!/usr/bin/python
"""Bring interrupts, system services and kernel settings of a host to what its plan says."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_tuning
short_description: Interrupts, system services and kernel settings of a host, now and at every boot
description:
  - Interrupts and received packets are taken on the CPUs that are named, system services run there (C(AllowedCPUs) of
    C(system.slice), C(user.slice) and C(init.scope); cgroup v2), irqbalance keeps off the others, and kernel settings
    have their values. A systemd unit sets them again at every boot, and places interrupts that come later, of
    interfaces that go up, and of virtual functions that appear or come back from a pod.
  - What was there before is recorded; without O(tuning) it comes back.
  - Interrupts that the kernel alone places (managed ones) stay where they are.
  - On a node that shares its kernel (a container) nothing applies.
options:
  tuning:
    description: >-
      C(irq_cpus), C(device_cpus) (by PCI address; its virtual functions are meant too), C(rps_cpus) (by interface),
      C(system_cpus): lists of CPUs; and C(settings) (C(numa_balancing), C(transparent_hugepage), C(governor)). Empty
      takes everything back.
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
- name: Keep interrupts and system services on two CPUs
  gedge.provision.host_tuning:
    tuning: {irq_cpus: 0-1, system_cpus: 0-1, settings: {numa_balancing: "0"}}
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
applicable:
  description: False on a node that shares its kernel.
  type: bool
  returned: always
"""

import contextlib
import json
import os
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import host_tuner as tuner
from ..module_utils.host_state import (
    cgroup_version,
    files_made,
    host_lock,
    in_container,
    made,
    read_record,
    read_text,
    return_file,
    sync_file,
    write_record,
)

RECORD = "tuning.json"
UNIT = "gedge-tuning.service"
UNIT_FILE = os.path.join(tuner.UNITS, UNIT)
LINK = os.path.join(tuner.UNITS, "multi-user.target.wants", UNIT)
PROGRAM, SETTINGS = "/usr/local/sbin/gedge-tuning", "/etc/gedge/tuning.json"
WORK = ("irq_cpus", "device_cpus", "rps_cpus", "settings")
CGROUPS = "/sys/fs/cgroup"
IRQBALANCE = "irqbalance.service"
HEADER = "# Written by gedge-provision; local changes are lost at the next run.\n"
UNIT_TEXT = """%s[Unit]
Description=Interrupts and kernel settings of the host (gedge-provision)
After=systemd-modules-load.service systemd-udev-settle.service gedge-sriov.service network-online.target
Wants=network-online.target
StartLimitIntervalSec=600
StartLimitBurst=3

[Service]
Type=notify
TimeoutStartSec=180
Restart=on-failure
RestartSec=30
ExecStart=/usr/bin/env python3 %s %s

[Install]
WantedBy=multi-user.target
""" % (HEADER, PROGRAM, SETTINGS)


def main():
    module = AnsibleModule(
        argument_spec={"tuning": {"type": "dict", "default": {}}},
        supports_check_mode=True,
    )
    if in_container():
        if module.params["tuning"].get("irq_cpus"):
            module.warn("the tuning does not apply here: the node is a container, and shares its machine's kernel")
        module.exit_json(changed=False, objects=[], applicable=False)
    try:
        with contextlib.nullcontext() if module.check_mode else host_lock(module, 300):
            objects, diffs = work(module, module.params["tuning"])
    except tuner.TunerError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(objects), objects=objects, diff=diffs, applicable=True)


def work(module, tuning):
    check = module.check_mode
    system_cpus = tuning.get("system_cpus", "") if cgroup_version() == 2 else ""  # noqa: PLR2004
    wanted = {key: tuning[key] for key in WORK if tuning.get("irq_cpus") and tuning.get(key)}
    runs = module.run_command(["systemctl", "is-active", "--quiet", UNIT])[0] == 0
    enabled = os.path.lexists(LINK)
    due = differing(wanted, runs)
    gone = {path: former for path, former in read_record(RECORD).items() if not wanted}
    slices = slices_due(system_cpus)
    objects = [
        *(made("tuning", what, "set") for what in dict.fromkeys(knob.what for knob in due)),
        *(made("tuning", path, "restore") for path in sorted(gone) if not path.startswith(tuner.IRQS + "/")),
        *(made("tuning", "%s on CPUs %s" % (name, system_cpus or "all"), "set") for name in slices),
    ]
    if not check:
        before_files(module, wanted, due, runs)
    diffs = files(wanted, system_cpus, check)
    objects += files_made(diffs)
    if bool(wanted) != enabled or (wanted and not runs):
        objects.append(made("unit", UNIT, ("start" if enabled else "enable") if wanted else "disable"))
    if check or not objects:
        return objects, diffs
    if diffs:
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)
    for name in slices:
        tuner.limit(module, name, system_cpus)
    tuner.bring(wanted, remember)
    switch(module, wanted, enabled, runs and not {PROGRAM, UNIT_FILE} & {diff["after_header"] for diff in diffs})
    if gone:
        tuner.put_back(gone)
        write_record(RECORD, {})
    if any(IRQBALANCE in diff["after_header"] for diff in diffs):
        module.run_command(["systemctl", "try-restart", IRQBALANCE])
    return objects, diffs


def slices_due(system_cpus):
    """Return the slices that are limited otherwise; those that somebody else limits are none of ours."""
    return [
        name
        for name in tuner.SLICES
        if allowed(name) != system_cpus and (system_cpus or os.path.exists(tuner.drop_in(name)))
    ]


def before_files(module, wanted, due, runs):
    """Record what was there, before our unit reads what it is to bring; end it where it is to bring nothing."""
    if wanted:
        first = not read_record(RECORD)
        # At first interrupts that are in their place already too: what is not recorded has come after us.
        placed = [knob for knob in tuner.knobs(wanted) if first and knob.path.startswith(tuner.IRQS + "/")]
        remember([*placed, *due])
    elif runs:
        module.run_command(["systemctl", "stop", UNIT], check_rc=True)


def switch(module, wanted, enabled, keeps_running):
    """Enable and start our unit, or take what is left of it: of a unit whose file has gone only the link is."""
    if wanted and not enabled:
        module.run_command(["systemctl", "enable", UNIT], check_rc=True)
    if wanted and not keeps_running:
        module.run_command(["systemctl", "restart", UNIT], check_rc=True)
    if not wanted and enabled:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(LINK)


def differing(wanted, runs):
    """Return what differs; where our unit runs, interrupts that have just come are its to place."""
    due = tuner.differing(wanted)
    if due and runs and read_text(SETTINGS) == written(wanted) and all(knob.kind in ("list", "mask") for knob in due):
        time.sleep(tuner.WATCH_S + 1)
        due = tuner.differing(wanted)
    return due


def written(wanted):
    return json.dumps(wanted, indent=1, sort_keys=True) + "\n"


def remember(due):
    """Record what files had before us, once."""
    record = read_record(RECORD)
    former = {knob.path: (knob.read(), knob.kind) for knob in due if knob.path not in record}
    if former:
        write_record(RECORD, dict(record, **former))


def files(wanted, system_cpus, check):
    """Write (or take back) what the boot reads."""
    contents = {
        PROGRAM: (tuner.__loader__.get_source(tuner.__name__), 0o755),
        SETTINGS: (written(wanted), 0o644),
        UNIT_FILE: (UNIT_TEXT, 0o644),
    }
    found = [
        sync_file(path, text, mode, check) if wanted else return_file(path, check)
        for path, (text, mode) in contents.items()
    ]
    for name in tuner.SLICES:
        kind = "Slice" if name.endswith(".slice") else "Scope"
        text = "%s[%s]\nAllowedCPUs=%s\n" % (HEADER, kind, system_cpus)
        found.append(
            sync_file(tuner.drop_in(name), text, 0o644, check)
            if system_cpus
            else return_file(tuner.drop_in(name), check)
        )
    others = tuner.parsed(read_text("/sys/devices/system/cpu/online") or "") - tuner.parsed(wanted.get("irq_cpus", ""))
    banned = "%s[Service]\nEnvironment=IRQBALANCE_BANNED_CPULIST=%s\n" % (HEADER, ",".join(map(str, sorted(others))))
    keeps = wanted.get("irq_cpus") and os.path.exists("/usr/lib/systemd/system/" + IRQBALANCE)
    path = tuner.drop_in(IRQBALANCE)
    found.append(sync_file(path, banned, 0o644, check) if keeps else return_file(path, check))
    return [diff for diff in found if diff]


def allowed(unit):
    """Return the CPUs that a slice is limited to, as the kernel prints them; empty for all."""
    return (read_text(os.path.join(CGROUPS, unit, "cpuset.cpus")) or "").strip()


if __name__ == "__main__":
    main()
