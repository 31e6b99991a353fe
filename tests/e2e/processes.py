"""Processes of a run of `gedge` on this machine."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["command_line", "descendants", "ssh_clients", "ssh_connections", "wait_for_end"]


def descendants(pid: int) -> set[int]:
    """Return the processes below a process."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    for line in listed.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found: set[int] = set()
    todo = [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found.update(below)
        todo += below
    return found


def command_line(pid: int) -> str:
    """Return the words of a process; none of one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def ssh_connections(address: str) -> set[int]:
    """Return the ssh processes that hold a connection to a host; a lab's addresses are nobody else's."""
    argv = ["ss", "--tcp", "--numeric", "--processes", "--no-header", "dst", address]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return {int(pid) for pid in re.findall(r'"ssh",pid=(\d+)', listed)}


def ssh_clients(run: int, address: str) -> set[int]:
    """Return the ssh processes that tasks of a run started for a host."""
    lines = {pid: command_line(pid).split() for pid in descendants(run)}
    return {pid for pid, words in lines.items() if words[:1] == ["ssh"] and address in words}


def wait_for_end(pids: Iterable[int], word: str, limit_s: float = 15) -> None:
    """Wait until those of the processes whose command line has a word have ended."""
    end = time.monotonic() + limit_s
    while left := [line for line in map(command_line, pids) if word in line]:
        assert time.monotonic() < end, left
        time.sleep(0.2)
