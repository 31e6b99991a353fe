"""Snapshots of emulated nodes: saving what one is, putting it back, listing and removing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

from gedge_provision.adapters import emulator, lab_files, lab_snapshots, lab_ssh
from gedge_provision.adapters.locks import locked
from gedge_provision.adapters.podman import Podman
from gedge_provision.lab._emulated import emulated_nodes, known_machine, wait
from gedge_provision.lab._nodes import node_named
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.lab import NodeStatus
from gedge_provision.models.lab_snapshots import DEFAULT_NAME, LabSnapshot, Origin
from gedge_provision.models.progress import Reporter, SilentReporter, step
from gedge_provision.planning import lab_snapshots as planning
from gedge_provision.planning.emulation import DISK, DRIVE, MONITOR, image_tool

__all__ = ["delete_snapshot", "restore_node", "snapshot_node", "snapshots"]

_TRIES = 3


@dataclass(frozen=True)
class _Guest:
    """An emulated node that is on, as its snapshots concern it."""

    node: NodeStatus
    origin: Origin
    snapshots: list[LabSnapshot]

    @property
    def monitor(self) -> Path:
        return lab_files.node_folder(self.node.lab, self.node.node) / MONITOR


def snapshots(lab: str, node: str | None = None) -> dict[str, list[LabSnapshot]]:
    """Return the snapshots of the emulated nodes of a lab, or of one, oldest first; it may be off.

    Raises:
        UsageError: there is no such node, or it is a container.
    """
    nodes = emulated_nodes(lab) if node is None else [_emulated(lab, node)]
    return {found.node: _snapshots(found) for found in nodes}


def snapshot_node(lab: str, node: str, name: str = DEFAULT_NAME, reporter: Reporter | None = None) -> LabSnapshot:
    """Save disk, memory and devices of an emulated node that is on; it goes on.

    The artifact store is unmounted there first, since QEMU saves no guest that has a folder of the host; its next user
    mounts it again.

    Raises:
        UsageError: the node cannot have one, is off, or has one of that name.
        GedgeError: it has virtual functions, the store is in use there, or QEMU cannot.
    """
    reporter, title = reporter or SilentReporter(), f"snapshot {name} of emulated node {node}"
    with locked(lab_files.lab_folder(lab), f"lab {lab}"):
        guest = _guest(lab, node)
        planning.check_new(guest.snapshots, name, guest.node)
        with step(reporter, title):
            reporter.update(title, "unmounts the artifact store")
            planning.check_prepared(_ask(guest.node, planning.PREPARE)[0], guest.node)
            reporter.update(title, "the node stands still")
            try:
                with _told_of(
                    node, f"free room where the lab lies; what is there: gedge lab snapshots {node} --lab {lab}"
                ):
                    lab_snapshots.save(guest.monitor, DRIVE, planning.tag(name, guest.origin))
            except GedgeError:
                with suppress(GedgeError):  # it may have stood still; the first error is the one to tell
                    _set_clock(guest.node)
                raise
            _set_clock(guest.node)
        return planning.choose(_snapshots(guest.node), name, guest.node)


def restore_node(lab: str, node: str, name: str | None = None, reporter: Reporter | None = None) -> None:
    """Put an emulated node back to a snapshot (None: the only one); it is a host when this returns.

    Raises:
        UsageError: there is no such snapshot, the node is off, or not the machine that it was made of.
        GedgeError: QEMU cannot put it back, or the node does not answer after.
    """
    reporter = reporter or SilentReporter()
    with locked(lab_files.lab_folder(lab), f"lab {lab}"):
        guest = _guest(lab, node)
        chosen = planning.choose(guest.snapshots, name, guest.node)
        planning.check_fits(chosen, guest.origin, guest.node)
        title = f"emulated node {node} back to snapshot {chosen.name}"
        with step(reporter, title):
            reporter.update(title, "puts it back")
            with _told_of(node, _boot(lab, node)):
                lab_snapshots.load(guest.monitor, DRIVE, planning.recorded(chosen))
            remark = wait(lab, node, guest.node.address, partial(reporter.update, title), Event())
            reporter.update(title, "sets its clock")
            _set_clock(guest.node)
        if remark:
            reporter.note(f"emulated node {node}: {remark}")


def delete_snapshot(lab: str, node: str, name: str, reporter: Reporter | None = None) -> None:
    """Remove a snapshot of an emulated node that is on.

    Raises:
        UsageError: there is no such snapshot, or the node is off.
    """
    with locked(lab_files.lab_folder(lab), f"lab {lab}"):
        guest = _guest(lab, node)
        chosen = planning.choose(guest.snapshots, name, guest.node)
        title = f"remove snapshot {name} of emulated node {node}"
        with step(reporter or SilentReporter(), title), _told_of(node, _boot(lab, node)):
            lab_snapshots.delete(guest.monitor, DRIVE, planning.recorded(chosen))


def _emulated(lab: str, node: str) -> NodeStatus:
    found = node_named(Podman.private(), lab, node)
    planning.check_emulated(found)
    return found


def _guest(lab: str, node: str) -> _Guest:
    found = _emulated(lab, node)
    planning.check_on(found)
    made = known_machine(lab, node)
    with _told_of(node, _boot(lab, node)):
        version = lab_snapshots.version(lab_files.node_folder(lab, node) / MONITOR)
    return _Guest(found, planning.origin(version, made), _snapshots(found))


def _snapshots(node: NodeStatus) -> list[LabSnapshot]:
    folder = lab_files.node_folder(node.lab, node.node)
    made = emulator.read_machine(folder)
    if made is None or not (folder / DISK).exists():  # half-made
        return []
    return planning.snapshots(lab_snapshots.image_info(image_tool(made), folder / DISK))


@contextmanager
def _told_of(node: str, remedy: str) -> Iterator[None]:
    """Tell what QEMU refuses, or fails in, as the node's, with what to do."""
    try:
        yield
    except GedgeError as error:
        raise GedgeError(error.message, place=f"emulated node {node}", remedy=remedy) from error


def _boot(lab: str, node: str) -> str:
    return f"boot it: gedge lab stop --kill {node} --lab {lab}, gedge lab start {node} --lab {lab}"


def _set_clock(node: NodeStatus) -> None:
    """Set a node's clock, which stood still with it, and check it."""
    said, asked_at = _ask(node, planning.SET_CLOCK)
    planning.check_clock(said, asked_at, time.time(), node)


def _ask(node: NodeStatus, command: str) -> tuple[str | None, float]:
    """Return what a node prints (None: it does not answer), and when it was asked; one under load may miss a call."""
    for _ in range(_TRIES):
        asked_at = time.time()
        if (said := lab_ssh.tell(node.lab, node.address, command)) is not None:
            break
    return said, asked_at
