"""What a host shows of its GPUs and of what stands in the way of their driver: sysfs, files, firmware.

Sources: Linux kernel, Documentation/ABI/testing/sysfs-bus-pci; kmod, modprobe.d(5); UEFI specification, "Globally
Defined Variables" (SecureBoot: four bytes of attributes, then 1 or 0).
Standard library only, Python 3.8 and later.
"""

from __future__ import annotations

import glob
import os
import platform
import re

from .host_machine import distribution
from .host_state import read_text

VENDOR = "0x10de"  # NVIDIA
CLASSES = ("0x0300", "0x0302")  # VGA and 3D controllers
BLACKLISTS = ("etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d")
SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
# Where NVIDIA's installer and packages put it; the operator's validator asks for it too.
NVIDIA_SMI = ("usr/bin/nvidia-smi", "usr/local/bin/nvidia-smi")
BLACKLIST = "modprobe.blacklist=nouveau"
"""A kernel argument, which counts in the initial RAM disk too, and goes with the boot loader's settings."""


def find(root="/", kernel=None):
    """Return what the host shows.

    Args:
        root: folder that holds sys, etc, usr and so on.
        kernel: release of the kernel, that of the running one unless given.
    """
    kernel = kernel or platform.release()
    return {
        "devices": devices(root),
        "distribution": distribution(root)["id"],
        "driver_on_host": any(os.path.exists(os.path.join(root, path)) for path in NVIDIA_SMI),
        "headers": os.path.exists(os.path.join(root, "lib/modules", kernel, "build"))
        or os.path.isdir(os.path.join(root, "usr/src", "linux-headers-" + kernel)),
        "kernel": kernel,
        "nouveau": has_nouveau(root, kernel) and not is_blacklisted(root),
        "secure_boot": secure_boot(root),
    }


def devices(root):
    """Return the PCI addresses of NVIDIA's GPUs."""
    found = []
    for folder in sorted(glob.glob(os.path.join(root, "sys/bus/pci/devices", "*"))):
        vendor, kind = (read_text(os.path.join(folder, name)) or "" for name in ("vendor", "class"))
        if vendor.strip() == VENDOR and kind.strip()[:6] in CLASSES:
            found.append(os.path.basename(folder))
    return found


def has_nouveau(root, kernel):
    """Tell whether the kernel has the driver nouveau, loaded or not: that stays so after a boot without it."""
    index = read_text(os.path.join(root, "lib/modules", kernel, "modules.dep")) or ""
    return "/nouveau.ko" in index or os.path.isdir(os.path.join(root, "sys/module/nouveau"))


def is_blacklisted(root):
    """Tell whether the host's own settings keep nouveau away."""
    for folder in BLACKLISTS:
        for path in glob.glob(os.path.join(root, folder, "*.conf")):
            if re.search(r"^\s*blacklist\s+nouveau\s*$", read_text(path) or "", re.MULTILINE):
                return True
    return False


def secure_boot(root):
    """Return on, off, or none where the firmware is no UEFI or does not tell."""
    try:
        with open(os.path.join(root, SECURE_BOOT), "rb") as file:
            return "on" if file.read()[4:5] == b"\x01" else "off"
    except OSError:
        return "none"


def kernel_arguments(found, driver):
    """Return the kernel arguments that the driver needs: nouveau stays away where the operator installs it."""
    return [BLACKLIST] if driver == "operator" and found["devices"] and found["nouveau"] else []


def problems(found, driver):
    """Yield what the driver that is asked for cannot work with."""
    if not found["devices"]:
        return
    if driver == "preinstalled" and not found["driver_on_host"]:
        yield (
            "the class has a preinstalled driver, and there is no nvidia-smi on the host -> install the driver, or set "
            "driver: operator in the class"
        )
    if driver == "operator" and found["distribution"] == "debian" and not found["driver_on_host"]:
        # NVIDIA/gpu-operator, issues 1212 and 2225
        yield (
            "NVIDIA publishes no container of its driver for Debian -> install the driver on the host, and set driver: "
            "preinstalled in the class"
        )
    if driver == "operator" and found["secure_boot"] == "on" and not found["driver_on_host"]:
        yield (
            "Secure Boot is on, and nobody signs the kernel modules that the operator's driver compiles -> switch it "
            "off in the firmware, or install a signed driver and set driver: preinstalled in the class"
        )


def remarks(found, driver):
    """Yield what a person should know."""
    if driver in ("operator", "preinstalled") and not found["devices"]:
        yield (
            "no NVIDIA GPU on the PCI bus, so nothing of the operator will run here -> correct the class of the node, "
            "or look whether the card is seen: lspci -d 10de:"
        )
        return
    if driver == "operator" and found["driver_on_host"]:
        yield (
            "the host has a driver of its own, which the operator will leave in place -> set driver: preinstalled in "
            "the class, or remove it"
        )
    elif driver == "operator" and not found["headers"]:
        yield (
            "no headers of the kernel %s on the host; the driver's container fetches them from the distribution, which "
            "must still have them -> install the newest kernel with its headers, and reboot" % found["kernel"]
        )
