"""Asking a node over SSH, as Ansible will."""

from __future__ import annotations

from ipaddress import IPv4Address

from gedge_provision.adapters.processes import CommandError, run
from gedge_provision.models.lab import LabSpec
from gedge_provision.models.ssh import known_hosts_option

__all__ = ["ask_systemd"]

_LIMIT_S = 20
_SSH_FAILED = 255
_QUESTION = "systemctl is-system-running; systemctl list-units --failed --plain --no-legend"


def ask_systemd(spec: LabSpec, address: IPv4Address) -> str | None:
    """Return the state of a node's systemd and its failed units, a line each; None while sshd does not answer."""
    argv = [
        *("ssh", "-F", "none", "-i", str(spec.private_key), "-o", known_hosts_option(str(spec.known_hosts))),
        *("-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"),
        *("-o", "ConnectTimeout=2", "-o", "LogLevel=ERROR", f"root@{address}", _QUESTION),
    ]
    try:
        done = run(argv, check=False, timeout_s=_LIMIT_S)
    except CommandError:  # a node under load may take the connection and say nothing
        return None
    return None if done.returncode == _SSH_FAILED else done.stdout
