"""The QEMU processes of emulated nodes, and their files in the node's folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

from gedge_provision.adapters import host_traces, qmp
from gedge_provision.adapters.base_image import base_folder
from gedge_provision.adapters.files import write_atomically
from gedge_provision.adapters.processes import CommandError, run
from gedge_provision.models.emulation import Machine
from gedge_provision.models.errors import GedgeError

__all__ = [
    "check_runs",
    "find",
    "kvm_works",
    "memory_of",
    "new_disk",
    "power_off",
    "read_machine",
    "show_console",
    "start",
    "started_at",
    "wait_off",
    "write_machine",
]

_MACHINE, _LOG = "machine.json", "qemu.log"
_START_LIMIT_S = 30
_END_LIMIT_S = 10
_PROBE_LIMIT_S = 10
_PAUSE_S = 0.05
_UNSEEN = 20  # looks in a row without the process tell that it ended; one may fall into its exec, when it has no name
_TAIL = 2000


def kvm_works(probe: Sequence[str], expected: int) -> bool:
    """Tell whether KVM really runs a guest here: that the device is there says little on a virtual machine."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    try:
        return run(probe, check=False, timeout_s=_PROBE_LIMIT_S).returncode == expected
    except CommandError:
        return False


def new_disk(argv: Sequence[str], base: Path, folder: Path, name: str) -> None:
    """Make a node's own disk, in place of one that may be there: what it writes; the rest is read from `base`.

    Args:
        argv: the command line of qemu-img.
        base: the disk that it begins as.
        folder: the node's folder.
        name: of the disk there.
    """
    (folder / name).unlink(missing_ok=True)
    run([*argv, "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base), str(folder / name)])


def write_machine(folder: Path, machine: Machine) -> None:
    """Record how a node's guest was made."""
    write_atomically(folder / _MACHINE, json.dumps(asdict(machine), indent=2) + "\n")


def read_machine(folder: Path) -> Machine | None:
    """Return how the guest of a node was made; None when the folder is no emulated node's."""
    with suppress(FileNotFoundError):
        found = json.loads((folder / _MACHINE).read_text(encoding="utf-8"))
        return Machine(**{**found, "argv": tuple(found["argv"])})
    return None


def find(prefix: str) -> dict[str, int]:
    """Return the running guests with names that begin so: name to process id.

    A process is one when it runs our QEMU and was given that name: process ids are not trusted, they are used again.
    """
    found = {}
    for pid, argv in host_traces.processes_naming(prefix).items():
        named = [word for option, word in pairwise(argv) if option == "-name"]
        if named and named[0].startswith(prefix) and Path(argv[0]).is_relative_to(base_folder()):
            found[named[0]] = pid
    return found


def start(machine: Machine, folder: Path, monitor: str) -> None:
    """Power a guest on; returns when its processor runs.

    Raises:
        GedgeError: QEMU ended instead; with what it said.
    """
    (folder / monitor).unlink(missing_ok=True)
    with (folder / _LOG).open("w", encoding="utf-8") as log:
        # Nobody's child: it lives on after this process, and leaves no zombie to it.
        subprocess.run(
            ["setsid", "--fork", *machine.argv],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )
    end, unseen = time.monotonic() + _START_LIMIT_S, 0
    while not (folder / monitor).exists() and unseen < _UNSEEN and time.monotonic() < end:
        unseen = 0 if host_traces.processes_naming(machine.name) else unseen + 1
        time.sleep(_PAUSE_S)
    try:
        qmp.tell(folder / monitor, "query-status", _START_LIMIT_S)
    except GedgeError as error:
        power_off(machine.name)
        raise GedgeError(f"the emulator does not run: {_said(folder) or error.message}", place=machine.name) from error


def check_runs(name: str, folder: Path) -> None:
    """Check that a guest that was powered on is on still.

    Raises:
        GedgeError: its QEMU has ended; with what it said.
    """
    if name not in find(name):
        raise GedgeError(f"the emulator has ended: {_said(folder) or 'it said nothing'}", place=name)


def _said(folder: Path) -> str:
    log = folder / _LOG
    return log.read_text(encoding="utf-8", errors="replace")[-_TAIL:].strip() if log.exists() else ""


def power_off(name: str) -> None:
    """End a guest as by a power cut, and wait until its process is gone; one that does not run is fine."""
    pid = find(name).get(name)
    if pid is None:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_off(name, _END_LIMIT_S)


def wait_off(name: str, limit_s: float) -> bool:
    """Wait until a guest is off; tell whether it is."""
    end = time.monotonic() + limit_s
    while name in find(name):
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE_S)
    return True


def show_console(folder: Path) -> None:
    """Print the end of what a guest has written to its console, on this terminal."""
    subprocess.run(["tail", "--lines=100", folder / "console.log"], check=False)


def started_at(pid: int) -> int:
    """Return when a process was started, in seconds since the epoch."""
    return int(Path(f"/proc/{pid}").stat().st_mtime)


def memory_of(pid: int) -> int | None:
    """Return the memory of a process in bytes."""
    with suppress(OSError, IndexError, ValueError):
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return None
