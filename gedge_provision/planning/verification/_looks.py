"""What a look at hosts that failed says of each of them."""

from __future__ import annotations

from collections.abc import Sequence

from gedge_provision.models.runs import RunResult

__all__ = ["host_problems"]


def host_problems(result: RunResult, names: Sequence[str], *, of_all: bool = False) -> dict[str, str]:
    """Return why hosts could not be looked at, by host: those that failed, or `of_all`, for the others were cut short.

    When no host is named by the failure, it is of all as well.
    """
    told: dict[str, str] = {}
    for failure in result.failures:
        told.setdefault(failure.host, f"check mode fails on it: {failure.message}")
    found = {name: told[name] for name in names if name in told}
    if found and not of_all:
        return found
    ended = next((f"{failure.host}: {failure.message}" for failure in result.failures), result.status)
    return {name: found.get(name, f"the look ended early, at {ended}") for name in names}
