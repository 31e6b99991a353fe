#!/usr/bin/python
"""Kernel modules, sysctls, swap and time of a host, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_settings
short_description: Kernel modules, sysctls, swap and clock of a host, in one call
description:
  - Values are set now and for the next boot, and read back. The former ones are recorded for the reset.
  - On a host that shares its kernel (a container node) only what belongs to its own network namespace is set,
    RV(left_alone) names the rest.
options:
  kernel_modules:
    description: >-
      Modules, each with the path that proves its function (so that one that is built in is not asked for).
    type: dict
    default: {}
  sysctls:
    description: Kernel settings and their values.
    type: dict
    default: {}
  swap:
    description: Whether swap may stay on; V(off) switches it off and masks its units.
    type: str
    choices: ["off", keep]
    default: keep
  time_service:
    description: >-
      The unit that keeps the clock; an active one of the usual kind is accepted in its place. Empty for none.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Prepare the kernel
  gedge.provision.host_settings:
    kernel_modules: {br_netfilter: /proc/sys/net/bridge}
    sysctls: {net.ipv4.ip_forward: "1"}
    swap: "off"
"""

RETURN = r"""
left_alone:
  description: What was not set since it belongs to the kernel that this container node shares.
  type: list
  elements: str
  returned: always
"""


from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host_state import has_function, in_container, read_record, read_text, sync_file, write_record

HEADER = "# Written by gedge-provision; local changes are lost at the next run.\n"
TIME_SERVICES = ("chronyd.service", "chrony.service", "ntpsec.service", "ntpd.service", "systemd-timesyncd.service")


def main():
    module = AnsibleModule(
        argument_spec={
            "kernel_modules": {"type": "dict", "default": {}},
            "sysctls": {"type": "dict", "default": {}},
            "swap": {"type": "str", "choices": ["off", "keep"], "default": "keep"},
            "time_service": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    shared_kernel = in_container()
    changes, diffs, left_alone = [], [], []
    set_modules(module, changes, diffs)
    set_sysctls(module, shared_kernel, changes, diffs, left_alone)
    if shared_kernel:
        left_alone += [name for name in ("swap", "time_service") if module.params[name] not in ("", "keep")]
    else:
        if module.params["swap"] == "off":
            swap_off(module, changes)
        if module.params["time_service"]:
            keep_time(module, changes)
    if changes:
        diffs.append({"before": "", "after": "\n".join(changes) + "\n", "after_header": "kernel and services"})
    module.exit_json(changed=bool(diffs), diff=diffs, left_alone=left_alone)


def set_modules(module, changes, diffs):
    names = sorted(module.params["kernel_modules"])
    for name in names:
        proof = module.params["kernel_modules"][name]
        if has_function(proof):
            continue
        changes.append("modprobe %s" % name)
        if module.check_mode:
            continue
        rc, _, err = module.run_command(["modprobe", name])
        if rc != 0 or not has_function(proof):
            module.fail_json(
                msg="the kernel lacks %s (%s): %s -> install the kernel package that carries this module"
                % (name, proof, err.strip())
            )
    if names:
        save(module, diffs, "/etc/modules-load.d/gedge.conf", HEADER + "".join(name + "\n" for name in names))


def set_sysctls(module, shared_kernel, changes, diffs, left_alone):
    wanted = {}
    for name, value in sorted(module.params["sysctls"].items()):
        if shared_kernel and not name.startswith("net."):
            left_alone.append(name)
        else:
            wanted[name] = str(value)
    record = read_record("settings.json")
    former = record.setdefault("sysctls", {})
    for name, value in wanted.items():
        path = "/proc/sys/" + name.replace(".", "/")
        present = read_text(path)
        if present is not None and present.split() == value.split():
            continue
        changes.append("sysctl %s = %s" % (name, value))
        if module.check_mode:
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
        save(module, diffs, "/etc/sysctl.d/90-gedge.conf", HEADER + lines)


def save(module, diffs, path, content):
    diff = sync_file(path, content, 0o644, module.check_mode)
    if diff:
        diffs.append(diff)


def swap_off(module, changes):
    devices = [line.split()[0] for line in (read_text("/proc/swaps") or "").splitlines()[1:]]
    _, out, _ = module.run_command(
        ["systemctl", "list-units", "--type=swap", "--all", "--no-legend", "--plain", "--state=loaded"]
    )
    units = [line.split()[0] for line in out.splitlines() if line.strip()]
    if devices:
        changes.append("swapoff %s" % " ".join(devices))
    changes += ["mask %s" % unit for unit in units]
    if module.check_mode or not (devices or units):
        return
    record = read_record("settings.json")
    record["masked_units"] = sorted(set(record.get("masked_units", [])) | set(units))
    record["swap_was_on"] = record.get("swap_was_on", False) or bool(devices)
    write_record("settings.json", record)
    module.run_command(["swapoff", "-a"], check_rc=True)
    for unit in units:
        module.run_command(["systemctl", "mask", unit], check_rc=True)


def keep_time(module, changes):
    _, out, _ = module.run_command(["systemctl", "is-active", *list(TIME_SERVICES)])
    if "active" in out.split():
        return
    unit = module.params["time_service"]
    changes.append("enable %s" % unit)
    if module.check_mode:
        return
    rc, _, err = module.run_command(["systemctl", "enable", "--now", unit])
    if rc != 0:
        module.fail_json(
            msg="%s cannot be started: %s -> install chrony, or set the clock's service" % (unit, err.strip())
        )


if __name__ == "__main__":
    main()
