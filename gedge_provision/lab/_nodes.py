"""Single nodes: their state, stopping and starting, a shell in them, their journal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from ipaddress import IPv4Address

from gedge_provision.adapters import host_traces, lab_files
from gedge_provision.adapters.podman import Podman
from gedge_provision.models.errors import UsageError
from gedge_provision.models.lab import NodeStatus
from gedge_provision.planning.lab_nodes import container_name, node_state

__all__ = ["choose", "labs", "logs", "nodes_of", "shell", "start_node", "status", "stop_node"]


def labs() -> list[str]:
    """Return the names of all labs of which something is there."""
    podman = Podman.private()
    found = {container.lab for container in podman.containers()} | set(podman.networks())
    return sorted(found | set(lab_files.lab_folders()))


def choose(name: str | None) -> str:
    """Return the lab that is meant: the one named, else the only one.

    Raises:
        UsageError: there is none of that name, none at all, or several.
    """
    present = labs()
    if name is not None and name in present:
        return name
    if name is None and len(present) == 1:
        return present[0]
    if not present:
        raise UsageError("no lab is up", remedy="gedge lab up")
    names = ", ".join(present)
    if name is None:
        raise UsageError(f"several labs are up: {names}", remedy="name one of them")
    raise UsageError(f"no lab {name!r} is up", remedy=f"those that are: {names}")


def nodes_of(podman: Podman, lab: str) -> list[NodeStatus]:
    """Return the nodes of a lab as they are, in the order of their names."""
    found = []
    for container in podman.containers():
        if container.lab != lab:
            continue
        state = node_state(container.state)
        runs = state == "running"
        found.append(
            NodeStatus(
                lab=lab,
                node=container.node,
                address=IPv4Address(container.address),
                state=state,
                container_id=container.id,
                made_of=container.made_of,
                uptime_s=max(0, int(time.time()) - container.started_at) if runs else None,
                memory_bytes=host_traces.memory_of(container.id) if runs else None,
            )
        )
    return sorted(found, key=lambda node: node.node)


def status(lab: str | None = None) -> list[NodeStatus]:
    """Return the nodes of a lab, or of all labs."""
    podman = Podman.private()
    return [node for name in ([lab] if lab else labs()) for node in nodes_of(podman, name)]


def stop_node(lab: str, node: str, *, kill: bool = False) -> None:
    """Shut a node down; with `kill` as by a power cut. Its disks stay."""
    podman = Podman.private()
    podman.call("stop", "--time", "0" if kill else "20", _container(podman, lab, node))


def start_node(lab: str, node: str) -> None:
    """Boot a stopped node."""
    podman = Podman.private()
    podman.call("start", _container(podman, lab, node))


def shell(lab: str, node: str, command: Sequence[str], *, terminal: bool) -> int:
    """Run a command (none: a login shell) in a node, on this terminal; return its exit code."""
    podman = Podman.private()
    tty = ("--tty",) if terminal else ()
    words = tuple(command) or ("bash", "--login")
    return podman.attach("exec", "--interactive", *tty, _container(podman, lab, node), *words)


def logs(lab: str, node: str, *, follow: bool) -> int:
    """Show the journal of a node; return the exit code."""
    podman = Podman.private()
    more = ("--follow",) if follow else ()
    return podman.attach("exec", _container(podman, lab, node), "journalctl", "--no-pager", *more)


def _container(podman: Podman, lab: str, node: str) -> str:
    names = [status.node for status in nodes_of(podman, lab)]
    if node not in names:
        raise UsageError(f"lab {lab} has no node {node!r}", remedy=f"its nodes: {', '.join(names) or 'none'}")
    return container_name(lab, node)
