"""Asking a node over SSH, as Ansible will."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Address

from gedge_provision.adapters.lab_files import known_hosts, private_key
from gedge_provision.adapters.processes import CommandError, run
from gedge_provision.models.ssh import known_hosts_option

__all__ = ["SSH_FAILED", "ask_systemd", "attach", "tell"]

_LIMIT_S = 20
SSH_FAILED = 255
_QUESTION = "systemctl is-system-running; systemctl list-units --failed --plain --no-legend"


def _argv(lab: str, address: IPv4Address) -> list[str]:
    return [
        *("ssh", "-F", "none", "-i", str(private_key(lab)), "-o", known_hosts_option(str(known_hosts(lab)))),
        *("-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"),
        *("-o", "ConnectTimeout=2", "-o", "LogLevel=ERROR", f"root@{address}"),
    ]


def ask_systemd(lab: str, address: IPv4Address) -> str | None:
    """Return the state of a node's systemd and its failed units, a line each; None while sshd does not answer."""
    return tell(lab, address, _QUESTION)


def tell(lab: str, address: IPv4Address, command: str) -> str | None:
    """Run a shell command on a node and return what it prints; None when sshd does not answer."""
    try:
        done = run([*_argv(lab, address), command], check=False, timeout_s=_LIMIT_S)
    except CommandError:  # a node under load may take the connection and say nothing
        return None
    return None if done.returncode == SSH_FAILED else done.stdout


def attach(lab: str, address: IPv4Address, words: Sequence[str], *, terminal: bool) -> int:
    """Run a command (none: a login shell) on a node, on this terminal; return its exit code."""
    argv = _argv(lab, address)
    argv[1:1] = ["-t"] if terminal else ["-T"]
    return subprocess.run([*argv, *([shlex.join(words)] if words else [])], check=False).returncode
