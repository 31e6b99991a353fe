"""Single nodes: their state, stopping and starting, a shell in them, their journal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from ipaddress import IPv4Address
from threading import Event

from gedge_provision.adapters import emulator, host_traces, lab_files, lab_ssh
from gedge_provision.adapters.locks import locked
from gedge_provision.adapters.podman import Podman
from gedge_provision.lab._emulated import boot, emulated_nodes, stop
from gedge_provision.models.errors import UsageError
from gedge_provision.models.lab import NodeStatus
from gedge_provision.models.progress import Reporter, SilentReporter, step
from gedge_provision.planning.lab_nodes import container_name, node_state

__all__ = ["choose", "labs", "logs", "node_named", "nodes_of", "shell", "start_node", "status", "stop_node"]


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
    found = emulated_nodes(lab)
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


def stop_node(lab: str, node: str, *, kill: bool = False, reporter: Reporter | None = None) -> None:
    """Shut a node down; with `kill` as by a power cut. Its disks stay."""
    podman = Podman.private()
    found = node_named(podman, lab, node)
    if found.kind == "container":
        podman.call("stop", "--time", "0" if kill else "20", container_name(lab, node))
        return
    with locked(lab_files.lab_folder(lab), f"lab {lab}"):
        if not stop(lab, found, kill=kill):
            (reporter or SilentReporter()).note(f"emulated node {node} did not shut down in time: its power was cut")


def start_node(lab: str, node: str, reporter: Reporter | None = None) -> None:
    """Boot a stopped node; an emulated one is a host when this returns.

    Raises:
        GedgeError: it does not come up.
    """
    podman = Podman.private()
    found = node_named(podman, lab, node)
    if found.kind == "container":
        podman.call("start", container_name(lab, node))
    elif found.state != "running":
        reporter, title = reporter or SilentReporter(), f"emulated node {node}"
        # A `down` at the same time would not see what is made here.
        with step(reporter, title), locked(lab_files.lab_folder(lab), f"lab {lab}"):
            boot(lab, node, found.address, partial(reporter.update, title), Event())


def shell(lab: str, node: str, command: Sequence[str], *, terminal: bool) -> int:
    """Run a command (none: a login shell) in a node, on this terminal; return its exit code."""
    podman = Podman.private()
    found = node_named(podman, lab, node)
    if found.kind == "emulated":
        return lab_ssh.attach(lab, found.address, command, terminal=terminal)
    tty = ("--tty",) if terminal else ()
    words = tuple(command) or ("bash", "--login")
    return podman.attach("exec", "--interactive", *tty, container_name(lab, node), *words)


def logs(lab: str, node: str, *, follow: bool) -> int:
    """Show the journal of a node; return the exit code. Of an emulated one without SSH, its console is shown."""
    podman = Podman.private()
    more = ("--follow",) if follow else ()
    found = node_named(podman, lab, node)
    words = ("journalctl", "--no-pager", *more)
    if found.kind == "container":
        return podman.attach("exec", container_name(lab, node), *words)
    code = lab_ssh.attach(lab, found.address, words, terminal=False)
    if code == lab_ssh.SSH_FAILED:
        emulator.show_console(lab_files.node_folder(lab, node))
    return code


def node_named(podman: Podman, lab: str, node: str) -> NodeStatus:
    """Return a node of a lab as it is.

    Raises:
        UsageError: there is none of that name.
    """
    found = {status.node: status for status in nodes_of(podman, lab)}
    if node not in found:
        raise UsageError(f"lab {lab} has no node {node!r}", remedy=f"its nodes: {', '.join(found) or 'none'}")
    return found[node]
