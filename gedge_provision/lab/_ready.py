"""Waiting until a node is a host that Ansible can use."""

from __future__ import annotations

from collections.abc import Callable

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from gedge_provision.adapters.lab_ssh import ask_systemd
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.lab import LabNode, LabSpec
from gedge_provision.planning.lab import readiness

__all__ = ["wait_ready"]

_LIMIT_S = 120
_PAUSE_S = 0.2


def wait_ready(spec: LabSpec, node: LabNode, tell: Callable[[str], None]) -> str:
    """Wait until sshd answers and systemd has booted; return what is noteworthy (failed units).

    Raises:
        GedgeError: it takes too long.
    """

    def look() -> tuple[bool, str]:
        ready, remark = readiness(ask_systemd(spec, node.address))
        if not ready:
            tell(remark)
        return ready, remark

    retrying = Retrying(
        stop=stop_after_delay(_LIMIT_S), wait=wait_fixed(_PAUSE_S), retry=retry_if_result(lambda seen: not seen[0])
    )
    try:
        return retrying(look)[1]
    except RetryError as error:
        raise GedgeError(
            f"not ready after {_LIMIT_S} s: {error.last_attempt.result()[1]}",
            place=f"node {node.name}",
            remedy=f"gedge lab logs {node.name} --lab {spec.name}",
        ) from error
