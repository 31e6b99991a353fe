"""What a lab may leave on its host beyond containers and networks: processes, mounts, cgroups, kernel settings."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from gedge_provision.adapters.files import write_atomically
from gedge_provision.adapters.processes import run
from gedge_provision.models.lab_host import HostFacts

__all__ = [
    "cgroups",
    "host_facts",
    "kill",
    "make_room",
    "memory_of",
    "missing_programs",
    "mounts_under",
    "podman_calls",
    "podman_is_busy",
    "processes_in",
    "processes_naming",
    "remember_host",
    "remove_cgroups",
    "restore_host",
    "thaw",
    "unmount",
]

_CGROUPS = Path("/sys/fs/cgroup")
_CAP_SYS_RESOURCE = 24
# Not namespaced, and set by netavark (the first), by kubelet, by kube-proxy and by `make_room`.
_SETTINGS = (
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "net/netfilter/nf_conntrack_max",
    "fs/inotify/max_user_instances",
    "fs/inotify/max_user_watches",
)
# Counted for all nodes together, since all are root: with the kernel's default of 128 instances, systemd in the third
# or fourth busy node gets none and its units fail.
_ROOM = {"fs/inotify/max_user_instances": 8192, "fs/inotify/max_user_watches": 1048576}
_NETNS = "/run/netns"


def host_facts() -> HostFacts:
    """Look at what decides about podman's settings."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    infinite = 2**62
    nofile, nproc = (resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
    return HostFacts(
        cgroup_version=2 if (_CGROUPS / "cgroup.controllers").exists() else 1,
        runtimes=frozenset(name for name in ("crun", "runc") if shutil.which(name)),
        hard_nofile=nofile if nofile >= 0 else infinite,
        hard_nproc=nproc if nproc >= 0 else infinite,
        pid_max=int(Path("/proc/sys/kernel/pid_max").read_text()),
        may_raise_limits=bool(int(status["CapEff"], 16) >> _CAP_SYS_RESOURCE & 1),
    )


def missing_programs(programs: dict[str, str]) -> list[str]:
    """Return the packages (values) of those programs (keys; paths or names) that are not installed."""
    return sorted({package for program, package in programs.items() if not _installed(program)})


def _installed(program: str) -> bool:
    if Path("/", program).is_file() or shutil.which(program):
        return True
    folders = ("/usr/lib/podman", "/usr/libexec/podman", "/usr/local/lib/podman", "/usr/local/libexec/podman")
    return any(Path(folder, program).exists() for folder in folders)


def processes_naming(word: str) -> dict[int, list[str]]:
    """Return processes, other than this one, with an argument that begins so: process id to command line."""
    return {
        pid: argv
        for pid, argv in _processes()
        if pid != os.getpid() and any(argument.startswith(word) for argument in argv)
    }


def podman_calls(word: str) -> list[int]:
    """Return podman commands under way with an argument that begins so; not their monitors, nor shells in nodes."""
    found = processes_naming(word).items()
    return [pid for pid, argv in found if Path(argv[0]).name == "podman" and "exec" not in argv]


def podman_is_busy() -> bool:
    """Tell whether a podman command is under way on this host, ours or not."""
    return any(Path(argv[0]).name == "podman" for _, argv in _processes())


def _processes() -> list[tuple[int, list[str]]]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if argv := path.read_bytes().decode(errors="replace").rstrip("\0").split("\0"):
                found.append((int(path.parent.name), argv))
    return found


def processes_in(cgroup: str) -> list[int]:
    """Return the processes in a cgroup of this name or below it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        with suppress(OSError):
            if f"/{cgroup}/" in path.read_text().replace("\n", "/\n"):
                found.append(int(path.parent.name))
    return found


def kill(pids: list[int]) -> None:
    """Kill processes that this tool started."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def mounts_under(*folders: Path) -> list[str]:
    """Return mount points at or below folders."""
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [point for point in points if any(Path(point).is_relative_to(folder) for folder in folders)]


def unmount(points: list[str]) -> None:
    """Unmount mount points, inner ones first."""
    for point in sorted(points, key=len, reverse=True):
        run(["umount", point], check=False)


def cgroups(name: str) -> list[Path]:
    """Return the cgroups of this name: one on version 2, one per controller on version 1."""
    return [path for pattern in (name, f"*/{name}") for path in sorted(_CGROUPS.glob(pattern)) if path.is_dir()]


def thaw(name: str) -> None:
    """Thaw what is frozen in a cgroup and below: on version 1 a frozen process does not even end when it is killed.

    runc freezes a container for a moment while it sets it up, and may be killed in that moment.
    """
    for top in cgroups(name):
        for folder, _, files in os.walk(top):  # outer ones first; one that ends meanwhile is passed over
            state = Path(folder, "freezer.state")
            if state.name not in files:
                continue
            with suppress(OSError):
                if state.read_text().strip() != "THAWED":
                    state.write_text("THAWED")


def remove_cgroups(name: str) -> None:
    """Remove a cgroup and all below it; those with processes stay."""
    for top in cgroups(name):
        for folder, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()


def memory_of(container_id: str) -> int | None:
    """Return the working set of a container in bytes: what it uses less the file cache that can be dropped."""
    for pattern, usage, cache in (
        ("memory/*/*{}*", "memory.usage_in_bytes", "total_inactive_file"),
        ("*/*{}*", "memory.current", "inactive_file"),
    ):
        for path in _CGROUPS.glob(pattern.format(container_id)):
            with suppress(OSError, KeyError, ValueError):
                stat = dict(line.split() for line in (path / "memory.stat").read_text().splitlines())
                return int((path / usage).read_text()) - int(stat[cache])
    return None


def remember_host(record: Path) -> None:
    """Record kernel settings that nodes change for the whole host, unless they are recorded."""
    if record.exists():
        return
    values = {}
    for name in _SETTINGS:
        with suppress(OSError):
            values[name] = Path("/proc/sys", name).read_text().strip()
    mounted = _NETNS in mounts_under(Path(_NETNS))
    write_atomically(record, json.dumps({"settings": values, "netns_mounted": mounted}, indent=2))


def make_room() -> None:
    """Raise limits of the host that all nodes share, where they are lower than a lab needs."""
    for name, wanted in _ROOM.items():
        path = Path("/proc/sys", name)
        with suppress(OSError):
            if int(path.read_text()) < wanted:
                path.write_text(str(wanted))


def restore_host(record: Path) -> None:
    """Set kernel settings back as recorded, and forget them."""
    if not record.exists():
        return
    before = json.loads(record.read_text(encoding="utf-8"))
    for name, value in before["settings"].items():
        path = Path("/proc/sys", name)
        with suppress(OSError):
            if path.read_text().strip() != value:
                path.write_text(value)
    if not before["netns_mounted"] and not any(Path(_NETNS).glob("*")):
        run(["umount", _NETNS], check=False)
    record.unlink()
