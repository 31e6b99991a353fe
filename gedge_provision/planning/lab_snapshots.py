"""Which snapshots an emulated node has, and which of them can be made, put back or removed. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gedge_provision.models.emulation import Machine
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.lab import NodeStatus
from gedge_provision.models.lab_snapshots import LabSnapshot, Origin
from gedge_provision.models.wording import counted

__all__ = [
    "PREPARE",
    "SET_CLOCK",
    "check_clock",
    "check_emulated",
    "check_fits",
    "check_new",
    "check_on",
    "check_prepared",
    "choose",
    "origin",
    "recorded",
    "snapshots",
    "tag",
]

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,30}[A-Za-z0-9])?")
_TAG = re.compile(r"(?P<name>[^@]+)@(?P<version>[^@]+)@(?P<machine>[0-9a-f]+)")

PREPARE = """\
made=$(cat /sys/bus/pci/devices/*/sriov_numvfs 2> /dev/null | grep -vx 0 | paste -sd+)
[ -z "$made" ] || { echo "functions $made"; exit; }
umount --all --types 9p 2>&1; findmnt --noheadings --types 9p --output TARGET"""
"""Makes a node ready to be saved: unmounts the host's folders. Prints what stands against it."""
SET_CLOCK = """\
clock=/sys/class/rtc/rtc0/since_epoch; read -r old < $clock || exit; new=$old looks=0
while [ "$new" = "$old" ]; do
  [ $looks -lt 200 ] || exit; looks=$((looks + 1)); sleep 0.02; read -r new < $clock || exit
done
date --set="@$new" > /dev/null; date +%s"""
"""Sets a node's clock at the next second of its hardware clock, which is the host's, and prints it."""
_CLOCK_LIMIT_S = 2


def check_emulated(node: NodeStatus) -> None:
    """Check that a node can have snapshots at all.

    Raises:
        UsageError: it is a container, which has no memory and devices of its own.
    """
    if node.kind != "emulated":
        raise UsageError(
            "only emulated nodes have snapshots: a container's memory is the host's",
            place=f"node {node.node}",
            remedy="list it under lab.emulated in the site file (gedge lab up --hardware 1 makes such a node)",
        )


def check_on(node: NodeStatus) -> None:
    """Check that QEMU is there to save or put back the state of an emulated node.

    Raises:
        UsageError: it is off.
    """
    if node.state != "running":
        raise UsageError(
            "it is off; snapshots are made, put back and removed by its running emulator",
            place=f"emulated node {node.node}",
            remedy=f"gedge lab start {node.node} --lab {node.lab}",
        )


def check_new(present: Sequence[LabSnapshot], name: str, node: NodeStatus) -> None:
    """Check that a snapshot of that name can be made.

    Raises:
        UsageError: the name cannot be one, or is taken.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a snapshot",
            place="--name",
            remedy="use up to 32 letters, digits, and between them . _ -",
        )
    if any(snapshot.name == name for snapshot in present):
        raise UsageError(
            f"it has a snapshot {name!r}",
            place=f"emulated node {node.node}",
            remedy=f"choose another --name, or first: gedge lab snapshots {node.node} --delete {name} --lab {node.lab}",
        )


def choose(present: Sequence[LabSnapshot], name: str | None, node: NodeStatus) -> LabSnapshot:
    """Return the snapshot that is meant: the one named, else the only one.

    Raises:
        UsageError: there is none of that name, none at all, or several.
    """
    found = [snapshot for snapshot in present if name in {None, snapshot.name}]
    if len(found) == 1:
        return found[0]
    place, names = f"emulated node {node.node}", ", ".join(snapshot.name for snapshot in present)
    if not present:
        raise UsageError(
            "it has no snapshot", place=place, remedy=f"make one: gedge lab snapshot {node.node} --lab {node.lab}"
        )
    if name is None:
        raise UsageError("it has several snapshots", place=place, remedy=f"choose by --name: {names}")
    raise UsageError(f"it has no snapshot {name!r}", place=place, remedy=f"those it has: {names}")


def check_fits(snapshot: LabSnapshot, now: Origin, node: NodeStatus) -> None:
    """Check that a guest can take the state that a snapshot has.

    Raises:
        UsageError: it was made by another QEMU, or of another machine.
    """
    made = snapshot.origin
    remedy = f"remove it: gedge lab snapshots {node.node} --delete {snapshot.name} --lab {node.lab}; then make it anew"
    place = f"snapshot {snapshot.name} of emulated node {node.node}"
    if made.version != now.version:
        raise UsageError(
            f"it was made by QEMU {made.version}, the node runs on {now.version}", place=place, remedy=remedy
        )
    if made.machine != now.machine:
        raise UsageError("it was made when the node had other hardware", place=place, remedy=remedy)


def check_prepared(said: str | None, node: NodeStatus) -> None:
    """Check what PREPARE said.

    QEMU does not save the registers of virtual functions: put back, they would be there and pass no traffic.

    Raises:
        GedgeError: the node has virtual functions, uses a folder of the host, or does not answer.
    """
    place = f"emulated node {node.node}"
    if said is None:
        raise GedgeError(
            "it does not answer over SSH",
            place=place,
            remedy=f"gedge lab logs {node.node} --lab {node.lab}",
        )
    if said.startswith("functions"):
        count = sum(map(int, said.removeprefix("functions").split("+")))
        raise GedgeError(
            f"it has {counted(count, 'virtual function')}, which would pass no traffic when it is put back",
            place=place,
            remedy="save it before they are made, or without them (their policies out of the site file, gedge apply)",
        )
    if said.strip():
        raise GedgeError(
            f"QEMU saves no guest that has a folder of the host mounted, and it is in use: {said.strip()}",
            place=place,
            remedy="wait until what reads artifacts there (gedge apply) has ended",
        )


def check_clock(said: str | None, began: float, ended: float, node: NodeStatus) -> None:
    """Check what SET_CLOCK said.

    Args:
        said: what the node printed; None when it did not answer.
        began: time of the host before it was asked, in seconds since the epoch.
        ended: ... and after.
        node: the node.

    Raises:
        GedgeError: its clock is not the host's.
    """
    words = (said or "").split()
    right = bool(words) and words[-1].isdecimal()
    if not right or not began - _CLOCK_LIMIT_S <= int(words[-1]) <= ended + _CLOCK_LIMIT_S:
        raise GedgeError(
            f"its clock could not be set to the host's (it said: {said!r})",
            place=f"emulated node {node.node}",
            remedy=f"set it: gedge lab shell {node.node} --lab {node.lab} -- date --set=@$(date +%s)",
        )


def origin(version: dict[str, Any], machine: Machine) -> Origin:
    """Return what a guest's snapshots carry, from QMP's `query-version` and its command line."""
    numbers = version["qemu"]
    digest = hashlib.sha256("\0".join(machine.argv).encode()).hexdigest()
    return Origin(f"{numbers['major']}.{numbers['minor']}.{numbers['micro']}", digest[:12])


def tag(name: str, made_by: Origin) -> str:
    """Return what QEMU calls a snapshot; its origin is in it, so that it lies where the snapshot does."""
    return f"{name}@{made_by.version}@{made_by.machine}"


def recorded(snapshot: LabSnapshot) -> str:
    """Return what QEMU calls a snapshot that was found."""
    return tag(snapshot.name, snapshot.origin)


def snapshots(image: dict[str, Any]) -> list[LabSnapshot]:
    """Return the snapshots of a disk, oldest first; those that others made are left out.

    Args:
        image: what `qemu-img info --output=json` says of it (`ImageInfo` in the QMP reference).
    """
    found = []
    for entry in image.get("snapshots", ()):
        if words := _TAG.fullmatch(entry["name"]):
            made_at = datetime.fromtimestamp(entry["date-sec"], UTC).astimezone()
            made_by = Origin(words["version"], words["machine"])
            found.append(LabSnapshot(words["name"], made_at, entry["vm-state-size"], made_by))
    return found
