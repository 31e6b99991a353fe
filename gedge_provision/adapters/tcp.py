"""Whether something listens."""

from __future__ import annotations

import socket
import time

__all__ = ["answers"]

_PAUSE_S = 0.2


def answers(address: str, port: int, limit_s: float) -> bool:
    """Try to connect to a TCP port until it answers or `limit_s` seconds are over."""
    end = time.monotonic() + limit_s
    while (left := end - time.monotonic()) > 0:
        try:
            socket.create_connection((address, port), left).close()
        except OSError:
            time.sleep(min(_PAUSE_S, left))
        else:
            return True
    return False
