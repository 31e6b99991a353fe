"""Kernel modules, sysctls, swap and clock of a host: what differs from what is wanted, and making it so.

The module `host_settings` sets them; `preflight` asks in the same words whether anything is to be set.
Standard library only, Python 3.8 and later.
"""

from __future__ import annotations

from .host_state import files_made, in_container, made, read_record, read_text, sync_file, write_record
from .kernel_modules import keep_feature_modules, load_modules
from .programs import look

HEADER = "# Written by gedge-provision; local changes are lost at the next run.\n"
TIME_SERVICES = ("chronyd.service", "chrony.service", "ntpsec.service", "ntpd.service", "systemd-timesyncd.service")
OPTIONS = {
    "kernel_modules": {"type": "dict", "default": {}},
    "feature_modules": {"type": "dict", "default": {}},
    "sysctls": {"type": "dict", "default": {}},
    "swap": {"type": "str", "choices": ["off", "keep"], "default": "keep"},
    "time_service": {"type": "str", "default": ""},
}


def sync_settings(module, wanted, check_mode):
    """Make a host's settings those wanted (values of OPTIONS); in check mode only compare.

    Returns:
        What was (in check mode, would be) done, empty when nothing differs; diffs for Ansible, one for each file and
        one for the kernel and services; and what was left alone since it belongs to the kernel that this container
        node shares, or since pods use it.
    """
    shared_kernel = in_container()
    changes, diffs, left_alone = [], [], []
    changes += load_modules(module, wanted["kernel_modules"], check_mode)
    found, in_use = keep_feature_modules(module, wanted["feature_modules"], check_mode)
    changes += found
    left_alone += in_use
    names = sorted({*wanted["kernel_modules"], *wanted["feature_modules"]})
    if names:
        save(diffs, check_mode, "/etc/modules-load.d/gedge.conf", HEADER + "".join(name + "\n" for name in names))
    if shared_kernel:
        left_alone += [name for name in sorted(wanted["sysctls"]) if not name.startswith("net.")]
    sysctls = {name: str(value) for name, value in sorted(wanted["sysctls"].items()) if name not in left_alone}
    set_sysctls(module, sysctls, check_mode, changes, diffs)
    if shared_kernel:
        left_alone += [name for name in ("swap", "time_service") if wanted[name] not in ("", "keep")]
    else:
        if wanted["swap"] == "off":
            swap_off(module, check_mode, changes)
        if wanted["time_service"]:
            keep_time(module, wanted["time_service"], check_mode, changes)
    objects = changes + files_made(diffs)
    if changes:
        text = "".join("%(action)s %(kind)s %(name)s\n" % change for change in changes)
        diffs.append({"before": "", "after": text, "after_header": "kernel and services"})
    return objects, diffs, left_alone


def set_sysctls(module, wanted, check_mode, changes, diffs):
    record = read_record("settings.json")
    former = record.setdefault("sysctls", {})
    for name, value in wanted.items():
        path = "/proc/sys/" + name.replace(".", "/")
        present = read_text(path)
        if present is not None and present.split() == value.split():
            continue
        changes.append(made("sysctl", "%s=%s" % (name, value), "set"))
        if check_mode:
            continue
        if present is None:
            module.fail_json(msg="the kernel has no setting %s -> check its name and kernel_modules" % name)
        former.setdefault(name, present.strip())
        write_record("settings.json", record)
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(value)
        except OSError as error:
            module.fail_json(msg="%s cannot be set to %s: %s" % (name, value, error.strerror))
    if wanted:
        lines = "".join("%s = %s\n" % item for item in wanted.items())
        save(diffs, check_mode, "/etc/sysctl.d/90-gedge.conf", HEADER + lines)


def save(diffs, check_mode, path, content):
    diff = sync_file(path, content, 0o644, check_mode)
    if diff:
        diffs.append(diff)


def swap_off(module, check_mode, changes):
    devices = [line.split()[0] for line in (read_text("/proc/swaps") or "").splitlines()[1:]]
    _, out, _ = look(["systemctl", "list-units", "--type=swap", "--all", "--no-legend", "--plain", "--state=loaded"])
    units = [line.split()[0] for line in out.splitlines() if line.strip()]
    changes += [made("swap", device, "stop") for device in devices]
    changes += [made("unit", unit, "mask") for unit in units]
    if check_mode or not (devices or units):
        return
    record = read_record("settings.json")
    record["masked_units"] = sorted(set(record.get("masked_units", [])) | set(units))
    record["swap_was_on"] = record.get("swap_was_on", False) or bool(devices)
    write_record("settings.json", record)
    module.run_command(["swapoff", "-a"], check_rc=True)
    for unit in units:
        module.run_command(["systemctl", "mask", unit], check_rc=True)


def keep_time(module, unit, check_mode, changes):
    _, out, _ = look(["systemctl", "is-active", *list(TIME_SERVICES)])
    if "active" in out.split():
        return
    changes.append(made("unit", unit, "enable"))
    if check_mode:
        return
    record = read_record("settings.json")
    record["enabled_units"] = sorted({*record.get("enabled_units", []), unit})
    write_record("settings.json", record)
    rc, _, err = module.run_command(["systemctl", "enable", "--now", unit])
    if rc != 0:
        module.fail_json(
            msg="%s cannot be started: %s -> install chrony, or set the clock's service" % (unit, err.strip())
        )
