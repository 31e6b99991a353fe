"""Waiting until a node is a host that Ansible can use."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from threading import Event

from tenacity import (
    RetryError,
    Retrying,
    retry_if_result,
    sleep_using_event,
    stop_after_delay,
    stop_when_event_set,
    wait_fixed,
)

from gedge_provision.adapters.lab_ssh import ask_systemd
from gedge_provision.models.errors import GedgeError
from gedge_provision.planning.lab import readiness

__all__ = ["wait_ready"]

_LIMIT_S = 120
_PAUSE_S = 0.2
# Software does what the processor did, and every look costs the guest a key exchange.
_EMULATED_LIMIT_S = 240
_EMULATED_PAUSE_S = 1.0


def wait_ready(  # noqa: PLR0913 - each is an independent fact
    lab: str,
    node: str,
    address: IPv4Address,
    tell: Callable[[str], None],
    *,
    cut_off: Event,
    emulated: Callable[[], None] | None = None,
) -> str:
    """Wait until sshd answers and systemd has booted; return what is noteworthy (failed units).

    Args:
        lab: the lab.
        node: the node's name.
        address: its address.
        tell: told what it waits for.
        cut_off: set by another thread when nobody waits for the node any more.
        emulated: of an emulated node, raises a GedgeError when its guest does not even run.

    Raises:
        GedgeError: it takes too long, or was cut off.
    """
    limit, pause = (_EMULATED_LIMIT_S, _EMULATED_PAUSE_S) if emulated else (_LIMIT_S, _PAUSE_S)

    def look() -> tuple[bool, str]:
        if emulated:
            emulated()
        ready, remark = readiness(ask_systemd(lab, address))
        if not ready:
            tell(remark)
        return ready, remark

    retrying = Retrying(
        stop=stop_after_delay(limit) | stop_when_event_set(cut_off),
        wait=wait_fixed(pause),
        sleep=sleep_using_event(cut_off),
        retry=retry_if_result(lambda seen: not seen[0]),
    )
    try:
        return retrying(look)[1]
    except RetryError as error:
        raise GedgeError(
            f"not ready after {limit} s: {error.last_attempt.result()[1]}",
            place=f"emulated node {node}" if emulated else f"node {node}",
            remedy=f"gedge lab logs {node} --lab {lab}"
            + (f"; to boot it again: gedge lab stop --kill {node} --lab {lab}, gedge lab up" if emulated else ""),
        ) from error
