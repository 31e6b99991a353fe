"""Talking to a running QEMU over its monitor socket (QMP: a line of JSON each way)."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from pathlib import Path
from typing import Any

from gedge_provision.models.errors import GedgeError

__all__ = ["human", "run_job", "tell"]

_LIMIT_S = 120
_PAUSE_S = 0.1


def tell(monitor: Path, command: str, limit_s: float = _LIMIT_S, **arguments: object) -> Any:  # noqa: ANN401 - JSON
    """Give one command and return its answer.

    Raises:
        GedgeError: nobody answers, or QEMU refuses.
    """
    # The path of a socket has at most 108 characters, that of a lab's folder may have more.
    folder = os.open(monitor.parent, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(limit_s)
            connection.connect(f"/proc/self/fd/{folder}/{monitor.name}")
            with connection.makefile("rw", encoding="utf-8") as stream:
                stream.readline()  # greeting
                for order in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                    stream.write(json.dumps(order) + "\n")
                    stream.flush()
                    answer = _answer(stream.readline)
    except (OSError, ValueError) as error:
        raise GedgeError(f"QEMU's monitor does not answer: {error}", place=str(monitor)) from error
    finally:
        os.close(folder)
    if "error" in answer:
        raise GedgeError(f"QEMU refuses {command}: {answer['error'].get('desc', answer['error'])}", place=str(monitor))
    return answer["return"]


def human(monitor: Path, line: str, limit_s: float = _LIMIT_S) -> str:
    """Give a command of the monitor for people, and return what it prints."""
    return str(tell(monitor, "human-monitor-command", limit_s, **{"command-line": line})).strip()


def run_job(monitor: Path, command: str, limit_s: float = _LIMIT_S, **arguments: object) -> None:
    """Give a command that QEMU works on as a job, and wait for its end.

    Raises:
        GedgeError: nobody answers, QEMU refuses, the job fails, or it is not done in time; then it goes on.
    """
    job, end = f"gedge-{uuid.uuid4()}", time.monotonic() + limit_s
    tell(monitor, command, limit_s, **{"job-id": job, **arguments})
    while True:
        ours = next((found for found in tell(monitor, "query-jobs", limit_s) if found["id"] == job), None)
        if ours is None:
            raise GedgeError(f"QEMU has lost its job {command}", place=str(monitor))
        if ours["status"] == "concluded":
            break
        if time.monotonic() > end:
            raise GedgeError(f"QEMU has not done {command} after {limit_s:g} s", place=str(monitor))
        time.sleep(_PAUSE_S)
    tell(monitor, "job-dismiss", limit_s, id=job)
    if "error" in ours:
        raise GedgeError(f"QEMU cannot do {command}: {ours['error']}", place=str(monitor))


def _answer(read: Any) -> dict[str, Any]:  # noqa: ANN401 - a bound method
    """Return the answer to a command; events come in between."""
    while line := read():
        message: dict[str, Any] = json.loads(line)
        if "return" in message or "error" in message:
            return message
    raise ValueError("it closed the connection")
