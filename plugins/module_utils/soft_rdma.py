"""What a host must have for software RDMA (rxe) in pods. Standard library only, Python 3.8 and later."""

from __future__ import annotations

import platform
import re

from .host_state import has_function
from .kernel_modules import hardware_links

FIRST_KERNEL = (7, 1)


def problems(module, attachments, modules, release=None):
    """Yield why pods cannot have software RDMA on this host, each with its remedy.

    Args:
        module: the Ansible module, for commands.
        attachments: names of those that ask for it; without any nothing is needed.
        modules: kernel modules, each with the path that proves its function.
        release: release of the kernel; the running one unless given.
    """
    if not attachments:
        return
    release = release or platform.release()
    wish = "attachment %s asks for software RDMA (rdma: soft)" % ", ".join(attachments)
    remedy = "take it out there, or name in node_classes the classes of nodes that have it"
    version = re.match(r"(\d+)\.(\d+)", release)
    if version is None or (int(version.group(1)), int(version.group(2))) < FIRST_KERNEL:
        yield "%s, which pods get from Linux %s on; this host runs %s -> upgrade its kernel, %s" % (
            wish,
            ".".join(map(str, FIRST_KERNEL)),
            release,
            remedy,
        )
    elif module.get_bin_path("modprobe"):  # it is in the list of packages
        missing = [
            name
            for name, proof in sorted(modules.items())
            if not has_function(proof) and module.run_command(["modprobe", "--dry-run", "--quiet", name])[0] != 0
        ]
        if missing:
            yield "%s, and the kernel lacks the modules %s -> install the kernel package that carries them, %s" % (
                wish,
                ", ".join(missing),
                remedy,
            )
    cards = hardware_links()
    if cards:
        yield "%s, and this host has RDMA hardware (%s), which such pods could open -> use that hardware, %s" % (
            wish,
            ", ".join(cards),
            remedy,
        )
