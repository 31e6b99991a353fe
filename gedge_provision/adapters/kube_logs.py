"""Logs of containers as they come, and their end from another thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubernetes.client.rest import RESTResponse

__all__ = ["LogPieces"]

_PIECE = 16 * 1024


class LogPieces(Iterator[bytes]):
    """A log in pieces of any size; the next one is waited for until it comes, or `stop` is called."""

    def __init__(self, answer: RESTResponse) -> None:
        self._answer = answer.response
        self._stopped = False
        self._reading = threading.Lock()

    def __next__(self) -> bytes:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see kube.connect

        with self._reading:
            try:
                piece: bytes = b"" if self._stopped else self._answer.read1(_PIECE)
            except (HTTPError, OSError, ValueError):  # broken in mid-air, silent, or stopped
                piece = b""
            if piece:
                return piece
            self._stopped = True
            self._answer.close()
            self._answer.release_conn()
        raise StopIteration

    def stop(self) -> None:
        """End it, from any thread: who waits for a piece is told that there is none."""
        self._stopped = True
        with suppress(RuntimeError, ValueError, OSError):  # it has ended already
            self._answer.shutdown()
        if self._reading.acquire(blocking=False):
            self._answer.close()
            self._answer.release_conn()
            self._reading.release()
