"""Locks between runs of `gedge`: held on a folder, gone with the process however it ends."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gedge_provision.adapters.files import write_atomically
from gedge_provision.models.errors import GedgeError

__all__ = ["held_by", "holder", "locked"]

_PAUSE_S = 0.1
_HOLDER = "holder.json"


@contextmanager
def locked(folder: Path, what: str, wait_s: float = 120) -> Iterator[None]:
    """Hold a folder (made if missing) for this process; the holder may remove it.

    Raises:
        GedgeError: another run holds it longer than `wait_s` seconds.
    """
    end = time.monotonic() + wait_s
    while (descriptor := _try(folder)) is None:
        if time.monotonic() >= end:
            raise GedgeError(f"another run works on {what}", place=str(folder), remedy="wait for it, or end it")
        time.sleep(_PAUSE_S)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def held_by(folder: Path, what: str, who: str) -> Iterator[None]:
    """Hold a folder, and leave word there of who does; nobody waits.

    Args:
        folder: made if missing.
        what: what is worked on, for the message.
        who: the command that works on it.

    Raises:
        GedgeError: another run holds it; the message names that run.
    """
    descriptor = _try(folder)
    if descriptor is None:
        other = _read_holder(folder)
        raise GedgeError(
            f"another run works on {what}: {other.get('who', 'unknown')}, process {other.get('pid', 'unknown')}, "
            f"since {other.get('since', 'a moment ago')}",
            place=str(folder),
            remedy="wait for it, or end it by ^C",
        )
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        write_atomically(folder / _HOLDER, json.dumps({"who": who, "pid": os.getpid(), "since": since}) + "\n", 0o600)
        yield
    finally:
        (folder / _HOLDER).unlink(missing_ok=True)
        os.close(descriptor)


def holder(folder: Path) -> int | None:
    """Return the process that holds a folder by `held_by`; None when none does, whatever is written there."""
    if not folder.is_dir():
        return None
    descriptor = _try(folder)
    if descriptor is not None:
        os.close(descriptor)
        return None
    pid = _read_holder(folder).get("pid")
    return pid if isinstance(pid, int) else None


def _read_holder(folder: Path) -> dict[str, object]:
    try:
        found = json.loads((folder / _HOLDER).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _try(folder: Path) -> int | None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:  # its last holder has just removed it
        return None
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == folder.stat().st_ino:
            return descriptor
    os.close(descriptor)
    return None
