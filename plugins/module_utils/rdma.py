"""What a host must have for the RDMA that a site asks for. Standard library only, Python 3.8 and later."""

from __future__ import annotations

import glob
import os
import platform
import re

from .host_state import has_function, read_text
from .kernel_modules import hardware_links, loads

FIRST_KERNEL = (7, 1)
DEVICES = "/sys/class/infiniband"
NETNS_MODE = "/sys/module/ib_core/parameters/netns_mode"
EXCLUSIVE = "N"
OPTIONS = {
    "soft": {"type": "list", "elements": "str", "default": []},
    "exclusive": {"type": "list", "elements": "str", "default": []},
    "shared": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "resource": {"type": "str", "required": True},
            "nics": {"type": "dict", "required": True},
        },
    },
}
_OTHER_NODES = "take it out there, or name in node_classes the classes of nodes that have it"


def problems(module, asked, modules, release=None):
    """Yield why a host cannot have the RDMA that is asked of it, each with its remedy.

    Args:
        module: the Ansible module, for commands.
        asked: values of OPTIONS.
        modules: kernel modules of software RDMA, each with the path that proves its function.
        release: release of the kernel; the running one unless given.
    """
    if asked["soft"]:
        yield from soft_problems(module, asked["soft"], modules, release or platform.release())
    if asked["exclusive"]:
        yield from mode_problems(asked["exclusive"])
    if asked["shared"]:
        yield from shared_problems(asked["shared"])


def soft_problems(module, attachments, modules, release):
    """Yield what keeps pods from software RDMA: an old kernel, one without the modules, RDMA hardware."""
    wish = "attachment %s asks for software RDMA (rdma: soft)" % ", ".join(attachments)
    version = re.match(r"(\d+)\.(\d+)", release)
    if version is None or (int(version.group(1)), int(version.group(2))) < FIRST_KERNEL:
        yield "%s, which pods get from Linux %s on; this host runs %s -> upgrade its kernel, %s" % (
            wish,
            ".".join(map(str, FIRST_KERNEL)),
            release,
            _OTHER_NODES,
        )
    else:
        missing = [
            name for name, proof in sorted(modules.items()) if not has_function(proof) and not loads(module, name)
        ]
        if missing:
            yield "%s, and the kernel lacks the modules %s -> install the kernel package that carries them, %s" % (
                wish,
                ", ".join(missing),
                _OTHER_NODES,
            )
    if namespaces_mode() == EXCLUSIVE:  # seen on Linux 7.3.4: a pod's link is then the host's
        yield (
            "%s, and this host gives each RDMA device to one network namespace, where links of pods do not get to them "
            "-> take netns_mode=0 out of /etc/modprobe.d and boot, %s" % (wish, _OTHER_NODES)
        )
    cards = hardware_links()
    if cards:
        yield "%s, and this host has RDMA hardware (%s), which such pods could open -> use that hardware, %s" % (
            wish,
            ", ".join(cards),
            _OTHER_NODES,
        )


def mode_problems(attachments):
    """Yield why no RDMA device of this host can belong to one pod alone."""
    wish = "attachment %s gives pods RDMA devices of their own (rdma: exclusive)" % ", ".join(attachments)
    mode = namespaces_mode()
    if not mode:
        yield "%s, and the kernel has no RDMA here -> load the driver of the cards' RDMA, %s" % (wish, _OTHER_NODES)
    elif mode != EXCLUSIVE:
        yield (
            "%s, and RDMA devices are shared between network namespaces here -> put 'options ib_core netns_mode=0' "
            "into /etc/modprobe.d/ib_core.conf, make the initramfs anew where ib_core is in it, and boot; at once, "
            "while there is no other network namespace, thus no pod: rdma system set netns exclusive" % wish
        )


def shared_problems(resources):
    """Yield resources behind which there is no RDMA device, or one that cannot be shared."""
    devices = [rdma_device(name) for name in hardware_links()]
    have = "; ".join(
        "%(name)s %(vendor)s:%(device)s %(driver)s" % found + " " + "/".join(found["interfaces"]) for found in devices
    )
    for resource in resources:
        name = resource["resource"]
        if not [found for found in devices if selects(resource["nics"], found)]:
            yield (
                "shared_rdma %s selects no RDMA device -> such devices here: %s"
                % (name, have or "none; load the driver of the cards' RDMA")
            )
        elif namespaces_mode() == EXCLUSIVE:
            yield (
                "shared_rdma %s shares devices, and this host gives each to one network namespace alone -> take "
                "netns_mode=0 out of /etc/modprobe.d and boot, or use attachments with rdma: exclusive" % name
            )


def namespaces_mode():
    """Return whether RDMA devices are shared between network namespaces: Y, N (EXCLUSIVE), or nothing without RDMA."""
    return (read_text(NETNS_MODE) or "").strip()


def selects(nics, device):
    """Tell whether everything that a selector gives applies to a device."""
    if any(nics.get(key) and device[key] != nics[key] for key in ("vendor", "device", "driver")):
        return False
    return not nics.get("interfaces") or bool(set(nics["interfaces"]) & set(device["interfaces"]))


def rdma_device(name):
    """Return what a selector sees of an RDMA device of a network card."""
    parent = os.path.join(DEVICES, name, "device")
    return {
        "name": name,
        "vendor": (read_text(parent + "/vendor") or "").strip()[2:],
        "device": (read_text(parent + "/device") or "").strip()[2:],
        "driver": os.path.basename(os.path.realpath(parent + "/driver")),
        "interfaces": sorted(os.path.basename(path) for path in glob.glob(parent + "/net/*")),
    }
