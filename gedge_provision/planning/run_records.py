"""What the records of former runs leave to be done. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from gedge_provision.models.run_records import RunRecord

__all__ = ["last_unfinished"]


def last_unfinished(runs: Iterable[RunRecord]) -> RunRecord | None:
    """Return the last run that changes hosts and did not end well, unless a later one has done the same work since.

    A run that was limited has done that of its like only.

    Args:
        runs: the newest first.
    """
    done: set[str | None] = set()
    for run in runs:
        if not run.request.changes_hosts or run.request.only in done:
            continue
        if run.state != "successful":
            return None if run.state == "running" else run
        if run.request.only is None:
            return None
        done.add(run.request.only)
    return None
