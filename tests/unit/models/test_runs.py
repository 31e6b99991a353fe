"""What is told of a run that failed: whether a host refused before any was changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from gedge_provision.models.changes import Change
from gedge_provision.models.runs import HostFailure, RunFailedError, RunResult

CHECKED = HostFailure("w1", "Check hosts", "check | Refuse without consent", "it reboots -> agree: --reboot-ok")
SILENT = HostFailure("w2", "Reach hosts", "Open a connection", "no answer", unreachable=True)
FAILED = RunResult("failed", 1.0, (), {}, {}, (), (), {}, Path("run"))
UNCHANGED = "no host was changed"


def told(*failures: HostFailure, **more: tuple[Change, ...]) -> str:
    return str(RunFailedError(replace(FAILED, failures=failures, changes=more)))


def test_a_refusal_says_that_nothing_was_changed() -> None:
    assert told(CHECKED).splitlines()[-2:] == [UNCHANGED, "-> the whole log: run/output.log"]
    assert UNCHANGED in told(SILENT, CHECKED)


@pytest.mark.parametrize("failures", [(), (SILENT,), (replace(CHECKED, phase="Prepare hosts"), CHECKED)])
def test_what_may_have_changed_is_not_called_unchanged(failures: tuple[HostFailure, ...]) -> None:
    assert UNCHANGED not in told(*failures)
    assert UNCHANGED not in told(CHECKED, w2=(Change("file", "/a", "create"),))


def test_the_plays_that_only_look_are_those_of_the_playbook() -> None:
    playbook = Path(__file__).parents[3] / "playbooks" / "site.yml"
    plays = [play["name"] for play in yaml.safe_load(playbook.read_text(encoding="utf-8"))]
    looking = [play for play in plays if replace(FAILED, failures=(replace(CHECKED, phase=play),)).refused]
    assert looking == plays[:2]
