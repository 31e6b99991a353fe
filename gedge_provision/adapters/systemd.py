"""The systemd of this machine: units of the system for root, of the user's own manager for everybody else."""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from gedge_provision.adapters.files import write_atomically
from gedge_provision.adapters.processes import run
from gedge_provision.models.errors import GedgeError

__all__ = ["Manager", "find_manager", "is_system"]

_BOOTED = Path("/run/systemd/system")  # sd_booted(3)
_LINGERING = Path("/var/lib/systemd/linger")


@dataclass(frozen=True)
class Manager:
    """A running service manager and the folder of its units; made by `find_manager`."""

    system: bool
    folder: Path

    def call(self, *words: str, check: bool = True) -> bool:
        """Call systemctl and return whether it ended with 0.

        Raises:
            CommandError: (with check) it did not.
        """
        return run(["systemctl", *([] if self.system else ["--user"]), *words], check=check).returncode == 0

    def read(self, unit: str) -> str | None:
        """Return the text of a unit file of ours or the administrator's, None if there is none."""
        try:
            return (self.folder / unit).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def write(self, unit: str, text: str) -> None:
        """Write a unit file."""
        write_atomically(self.folder / unit, text)

    def remove(self, unit: str) -> None:
        """Remove a unit file."""
        (self.folder / unit).unlink(missing_ok=True)

    @property
    def lingers(self) -> bool:
        """Whether its units run while nobody is logged in."""
        return self.system or (_LINGERING / pwd.getpwuid(os.getuid()).pw_name).exists()


def is_system() -> bool:
    """Tell whether units of this user are the system's."""
    return os.geteuid() == 0


def find_manager() -> Manager:
    """Return the manager that this user's units belong to.

    Raises:
        GedgeError: there is none.
    """
    remedy = "run gedge drift by what this machine has (cron), or see the units: gedge timer show"
    if not _BOOTED.is_dir() or shutil.which("systemctl") is None:
        raise GedgeError("this machine is not run by systemd", remedy=remedy)
    system = is_system()
    if not system and run(["systemctl", "--user", "show", "--property=Version"], check=False).returncode != 0:
        raise GedgeError("the systemd of this user does not answer", remedy="log in as this user, or do it as root")
    return Manager(system, Path("/etc/systemd/system") if system else platformdirs.user_config_path("systemd") / "user")
