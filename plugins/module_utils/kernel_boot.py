"""Arguments of a host's kernel: what is wanted, what its boot loader gives, what the kernel runs with.

The boot loader is GRUB as Debian and Ubuntu set it up: `update-grub` writes /boot/grub/grub.cfg from /etc/default/grub
and the files of /etc/default/grub.d, of which one is ours (GRUB manual, "Simple configuration handling";
update-grub(8)).
Standard library only, Python 3.8 and later.
"""

from __future__ import annotations

import contextlib
import hashlib
import os

from . import host_state
from .host_state import (
    copy_file,
    files_made,
    in_container,
    made,
    read_record,
    read_text,
    return_file,
    sync_file,
    write_record,
)
from .programs import look

RECORD = "kernel.json"
SETTINGS = "/etc/default/grub.d/90-gedge.cfg"
GRUB_CFG = "/boot/grub/grub.cfg"
IOMMU_GROUPS = "/sys/kernel/iommu_groups"
INTEL_IOMMU = "/sys/firmware/acpi/tables/DMAR"
INTEL_ARGUMENTS = ("intel_iommu=on", "iommu=pt")
TEXT = """# Written by gedge-provision; local changes are lost at the next run.
GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT %s"
"""


class BootLoaderError(Exception):
    """What could not be done, with the remedy."""


def this_boot():
    """Return what is to be known of this host's boot."""
    return {
        "boot_id": (read_text("/proc/sys/kernel/random/boot_id") or "").strip(),
        "cmdline": (read_text("/proc/cmdline") or "").split(),
        "container": in_container(),
        "iommu": os.path.isdir(IOMMU_GROUPS) and bool(os.listdir(IOMMU_GROUPS)),
        "intel_iommu": os.path.exists(INTEL_IOMMU),
    }


class KernelBoot:
    """A host's kernel arguments: those asked for beside those that it has."""

    def __init__(self, module, arguments, iommu, boot):
        """Compare.

        Args:
            module: the AnsibleModule, to run programs.
            arguments: those asked for.
            iommu: whether an IOMMU is asked for.
            boot: what `this_boot` found.
        """
        self.module = module
        self.boot = boot
        self.record = read_record(RECORD)
        self.applicable = not boot["container"]
        self.boot_id, self.cmdline = boot["boot_id"], boot["cmdline"]
        self.former = self.record.get("arguments", [])
        self.iommu_ours = iommu and self.applicable and self._iommu_is_ours()
        self.wanted = list(arguments) + (self._iommu_arguments(arguments) if self.iommu_ours else [])
        self.given = self._given() if self.applicable else []

    def _iommu_is_ours(self):
        """Tell whether it is for us to switch the IOMMU on: the firmware has one, and it is off without us."""
        return self.boot["intel_iommu"] and (not self.boot["iommu"] or bool(self.record.get("iommu")))

    @staticmethod
    def _iommu_arguments(arguments):
        keys = {argument.partition("=")[0] for argument in arguments}
        return [argument for argument in INTEL_ARGUMENTS if argument.partition("=")[0] not in keys]

    def _given(self):
        """Return what our settings must give: nothing where the host's owner gives all that is wanted already."""
        return self.wanted if self.former or not holds(self.cmdline, self.wanted) else []

    @property
    def problem(self):
        """What keeps the arguments from being set, with the remedy; empty for nothing."""
        if not self.given or (self.module.get_bin_path("update-grub") and os.path.exists(GRUB_CFG)):
            return ""
        return (
            "kernel arguments are asked for (%s), and this host's boot loader is not GRUB with update-grub (%s) -> add "
            "them to its boot loader by hand and reboot, they are then left to you; or take them out of "
            "kernel_arguments" % (" ".join(self.given), GRUB_CFG)
        )

    def settings_due(self):
        """Tell whether the boot loader's settings differ from what is wanted."""
        if not self.applicable:
            return False
        stale = self.given and " ".join(self.given) not in (read_text(GRUB_CFG) or "")
        return bool(self.record.get("unfinished") or stale or self._settings_file(True))

    def reboot_due(self):
        """Tell whether the kernel runs with other arguments than those that are wanted."""
        if not self.applicable:
            return False
        booted = self.record.get("booted", {})
        running = booted["arguments"] if booted.get("boot_id") == self.boot_id else self.former
        return running != self.given or not holds(self.cmdline, self.wanted)

    def iommu_is_coming(self):
        """Tell whether an IOMMU that is off now will be on with the arguments that are wanted."""
        return self.iommu_ours and self.reboot_due()

    def changes(self):
        """Name what `change` does, and return it with diffs."""
        if not self.settings_due():
            return [], []
        diff = self._settings_file(True)
        objects = [made("kernel_argument", one, "remove") for one in self.former if one not in self.given]
        objects += [made("kernel_argument", one, "add") for one in self.given if one not in self.former]
        objects += files_made([diff] if diff else [])
        return [*objects, made("file", GRUB_CFG, "change")], [diff] if diff else []

    def change(self):
        """Bring the boot loader's settings to what is wanted; a killed run is finished by the next."""
        record = self.record
        if self.given and "generated" not in record:
            record["generated"] = self._save_original()
        if record.get("booted", {}).get("boot_id") != self.boot_id:
            record["booted"] = {"boot_id": self.boot_id, "arguments": self.former}
        record.update(arguments=self.given, iommu=self.iommu_ours, unfinished=True)
        write_record(RECORD, record)
        self._settings_file(False)
        rc, out, err = self.module.run_command(["update-grub"])
        if rc != 0 or " ".join(self.given) not in (read_text(GRUB_CFG) or ""):
            raise BootLoaderError(
                "update-grub did not bring the kernel arguments into %s: %s -> run it by hand, mend what it says and "
                "run again" % (GRUB_CFG, (err or out).strip()[-800:] or "it says nothing")
            )
        if not self.given and digest(read_text(GRUB_CFG)) == record.pop("generated", ""):
            # What there is to boot is the same as then: the owner's file can come back as it was.
            copy_file(saved_cfg(), GRUB_CFG)
        if not self.given:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(saved_cfg())
        record["unfinished"] = False
        write_record(RECORD, record)

    def settle(self):
        """Check, after a boot, that the kernel runs with what is wanted; forget what has been given back."""
        if not holds(self.cmdline, self.wanted):
            raise BootLoaderError(
                "after the reboot the kernel runs without the arguments %s -> another boot loader, or another of its "
                "entries, has booted the host: compare /proc/cmdline with %s" % (" ".join(self.wanted), GRUB_CFG)
            )
        if not self.given and self.record:
            write_record(RECORD, {})

    def _settings_file(self, check):
        if not self.given:
            return return_file(SETTINGS, check)
        return sync_file(SETTINGS, TEXT % " ".join(self.given), 0o644, check)

    def _save_original(self):
        """Keep the boot loader's configuration, and return the digest of the one that would be generated now."""
        os.makedirs(os.path.dirname(saved_cfg()), mode=0o700, exist_ok=True)
        copy_file(GRUB_CFG, saved_cfg())
        rc, out, err = look(["grub-mkconfig"])
        if rc != 0:
            raise BootLoaderError(
                "grub-mkconfig fails, nothing was changed: %s -> run it by hand and mend what it says"
                % err.strip()[-800:]
            )
        return digest(out)


def holds(words, wanted):
    """Tell whether arguments stand in a kernel's command line, side by side: their order may matter."""
    size = len(wanted)
    return any(words[place : place + size] == wanted for place in range(len(words) - size + 1)) if size else True


def saved_cfg():
    return os.path.join(host_state.STATE_DIR, "originals", "grub.cfg")


def digest(text):
    return hashlib.sha256((text or "").encode()).hexdigest()
