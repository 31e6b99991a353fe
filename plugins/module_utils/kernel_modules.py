"""Kernel modules of a host: those that every node needs, and those that go when the site does not use them any more.

Standard library only, Python 3.8 and later.
"""

from __future__ import annotations

import glob
import os
import subprocess

from .host_state import has_function, made, read_record, read_text, write_record

SYSFS_MODULES = "/sys/module"
RDMA_CORE = ("ib_", "iw_", "rdma_")
RDMA_DEVICES = "/sys/class/infiniband"


def load_modules(module, wanted, check_mode):
    """Load modules whose function is missing; in check mode only say which.

    Args:
        module: the Ansible module, for commands and failures.
        wanted: modules, each with the path that proves its function.
        check_mode: whether nothing is changed.
    """
    # Before the first is loaded: one module may bring another one, and plan and apply shall say the same.
    due = [name for name in sorted(wanted) if not has_function(wanted[name])]
    for name in [] if check_mode else due:
        rc, _, err = module.run_command(["modprobe", name])
        if rc != 0 or not has_function(wanted[name]):
            module.fail_json(
                msg="the kernel lacks %s (%s): %s -> install the kernel package that carries this module"
                % (name, wanted[name], err.strip())
            )
    return [made("kernel_module", name, "load") for name in due]


def keep_feature_modules(module, wanted, check_mode):
    """Load what a feature of the site needs, and unload what none needs any more.

    Returns:
        What was (in check mode, would be) done, and what stays loaded for now since pods use it.
    """
    record = read_record("settings.json")
    ours = record.get("feature_modules", {})
    gone = [name for name in sorted(ours.get("names", [])) if name not in wanted]
    changes, in_use = [], []
    if gone and software_links():
        in_use = gone
    elif gone:
        changes = [made("kernel_module", name, "unload") for name in gone if is_loaded(name)]
        if not check_mode:
            unload(gone, ours["before"])
            record.pop("feature_modules")
            write_record("settings.json", record)
    loads = load_modules(module, wanted, True)
    if loads and not check_mode:
        ours = record.setdefault("feature_modules", {"names": [], "before": loaded()})
        ours["names"] = sorted({*ours["names"], *(change["name"] for change in loads)})
        write_record("settings.json", record)  # first: a killed run cannot forget them
        load_modules(module, wanted, False)
    return changes + loads, in_use


def unload_recorded(record):
    """Unload what was loaded for features; returns what stays."""
    ours = record.get("feature_modules")
    if not ours:
        return []
    unload(ours["names"], ours["before"])
    return [name for name in ours["names"] if is_loaded(name)]


def unload(names, kept):
    """Unload modules, and those that came with them: no module that was there before, none that another one needs.

    With the first RDMA device udev loads what may work on such devices (iSCSI, NFS; rdma-core's rdma.conf), which keeps
    the RDMA core loaded.
    """
    family, front = set(), {name for name in names if is_loaded(name)}
    while front:
        family |= front
        near = {other for name in front for other in [*_needs(name), *_rdma_users(name)]}
        front = near - family - set(kept)
    while True:
        free = [name for name in sorted(family) if is_loaded(name) and _references(name) == 0]
        for name in free:
            subprocess.run(["rmmod", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if all(is_loaded(name) for name in free):
            return


def loads(module, name):
    """Tell whether the kernel has a module; without modprobe, which is in the list of packages, that is not known."""
    if not module.get_bin_path("modprobe"):
        return True
    return module.run_command(["modprobe", "--dry-run", "--quiet", name])[0] == 0


def software_links():
    """Return the RDMA devices without hardware: those of rxe and siw have no parent."""
    return sorted(
        os.path.basename(path)
        for path in glob.glob(RDMA_DEVICES + "/*")
        if not os.path.exists(os.path.join(path, "device"))
    )


def hardware_links():
    """Return the RDMA devices of network cards."""
    return sorted(path.split("/")[-2] for path in glob.glob(RDMA_DEVICES + "/*/device"))


def loaded():
    """Return the names of the loaded modules."""
    return sorted(line.split()[0] for line in (read_text("/proc/modules") or "").splitlines())


def is_loaded(name):
    """Tell whether a module is loaded (one that is built in is not)."""
    return os.path.exists("%s/%s/refcnt" % (SYSFS_MODULES, name))


def _references(name):
    return int((read_text("%s/%s/refcnt" % (SYSFS_MODULES, name)) or "0").strip())


def _rdma_users(name):
    """Return the modules on top of one of the RDMA core; drivers of RDMA hardware are among them, so none with such."""
    if not name.startswith(RDMA_CORE) or hardware_links():
        return []
    return [os.path.basename(path) for path in glob.glob("%s/%s/holders/*" % (SYSFS_MODULES, name))]


def _needs(name):
    return [path.split("/")[-3] for path in glob.glob("%s/*/holders/%s" % (SYSFS_MODULES, name))]
