from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gedge_provision.models.run_records import RunRecord, RunRequest, RunState
from gedge_provision.planning.run_records import last_unfinished

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def run(state: RunState, only: str | None = None, verb: str = "apply", *, check: bool = False) -> RunRecord:
    request = RunRequest(verb, check=check, only=only, consents=(), site_sha256="", pid=1)
    return RunRecord("", request, BEGAN, state, None, None, Path())


@pytest.mark.parametrize(
    ("runs", "left"),
    [
        ((), None),
        ((run("successful"), run("failed")), None),
        ((run("failed"), run("successful")), 0),
        ((run("killed", "w1"), run("failed")), 0),
        ((run("successful", "w1"), run("killed")), 1),
        ((run("successful", "w1"), run("killed", "w1"), run("failed", "w2")), 2),
        ((run("successful", "w1"), run("killed", "w1"), run("successful")), None),
        ((run("failed", verb="plan"), run("failed", check=True), run("canceled", verb="reset")), 2),
        ((run("running"), run("killed")), None),
    ],
)
def test_a_limited_run_does_not_hide_one_that_did_not_end(runs: tuple[RunRecord, ...], left: int | None) -> None:
    assert last_unfinished(runs) is (None if left is None else runs[left])
