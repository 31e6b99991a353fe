"""A run that is killed at any moment: the next one ends in the same state."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import LabCluster

pytestmark = pytest.mark.e2e

# The steps in which the runs are killed; each of them has just begun then.
MOMENTS = (
    "artifacts : Install by digest",
    "containerd : Configure and run the runtime",
    "init | Start the cluster",
    "flannel : Apply the cluster's objects",
    "join | Join the cluster",
)


def descendants(pid: int) -> set[int]:
    """Return the processes below a process."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    for line in listed.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found: set[int] = set()
    todo = [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found.update(below)
        todo += below
    return found


def kill_when(lab: LabCluster, moment: str) -> None:
    """Start `gedge apply`, and kill it with SIGKILL when a step begins."""
    runs = lab.kubeconfig.parent / "runs"
    known = set(runs.glob("*")) if runs.is_dir() else set()
    process = lab.start_apply()
    try:
        deadline = time.monotonic() + 180
        while True:
            assert process.poll() is None, f"the run ended before {moment}"
            assert time.monotonic() < deadline, moment
            new = [path for path in runs.glob("*") if path not in known]
            output = new[0] / "artifacts" / "run" / "stdout" if new else None
            if output and output.is_file() and moment in output.read_text(encoding="utf-8", errors="replace"):
                break
            time.sleep(0.1)
        time.sleep(0.7)  # into the step
        below = descendants(process.pid)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    # Its children go with it: nothing of ours works on behind the user's back.
    deadline = time.monotonic() + 15
    while any("ansible" in _command(pid) for pid in below):
        assert time.monotonic() < deadline, [_command(pid) for pid in below]
        time.sleep(0.2)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_five_killed_runs_and_one_that_ends(lab: LabCluster) -> None:
    wanted = lab.gedge("status", "--output", "json").stdout
    lab.gedge("reset", "--yes")
    for moment in MOMENTS:
        kill_when(lab, moment)
    known = json.loads(lab.gedge("runs", "list", "--output", "json").stdout)
    assert [run["state"] for run in known[: len(MOMENTS)]] == ["killed"] * len(MOMENTS)
    shown = lab.gedge("runs", "show").stdout
    assert f"{known[0]['id']}: gedge apply, killed" in shown
    assert "begin" in shown
    result = json.loads(lab.gedge("resume", "--output", "json").stdout)
    assert result["status"] == "successful"
    assert "nothing to resume" in lab.gedge("resume").stdout
    assert json.loads(lab.gedge("status", "--output", "json").stdout) == json.loads(wanted)
    assert lab.apply()["changed"] == {}


def test_two_runs_on_one_site_exclude_each_other(lab: LabCluster) -> None:
    first = lab.start_apply()
    try:
        deadline = time.monotonic() + 30
        while not (lab.kubeconfig.parent / "holder.json").is_file():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        said = lab.gedge("apply", code=1).stderr
        assert f"another run works on site {lab.name}: gedge apply, process {first.pid}, since" in said
        running = json.loads(lab.gedge("runs", "list", "--output", "json").stdout)[0]
        assert (running["state"], running["request"]["pid"]) == ("running", first.pid)
    finally:
        assert first.wait(timeout=120) == 0
