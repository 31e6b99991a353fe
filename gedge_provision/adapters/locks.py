"""Locks between runs of `gedge`: held on a folder, gone with the process."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gedge_provision.models.errors import GedgeError

__all__ = ["locked"]

_PAUSE_S = 0.1


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
