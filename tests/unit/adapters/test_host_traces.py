"""Traces on the host: a frozen process ends all the same, and what ends by itself is no error."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from gedge_provision.adapters.host_traces import kill, processes_in, remove_cgroups, thaw

FREEZER = Path("/sys/fs/cgroup/freezer")

pytestmark = pytest.mark.skipif(
    not FREEZER.is_dir() or os.geteuid() != 0, reason="needs root and the freezer of cgroup version 1"
)


def test_a_frozen_process_ends_once_it_is_thawed() -> None:
    name = f"gedge-test-{os.getpid()}"
    inner = FREEZER / name / "inner"
    inner.mkdir(parents=True)
    try:
        with subprocess.Popen(["sleep", "60"]) as process:
            (inner / "cgroup.procs").write_text(str(process.pid))
            (inner / "freezer.state").write_text("FROZEN")
            assert processes_in(name) == [process.pid]
            kill([process.pid])
            time.sleep(0.2)
            assert process.poll() is None, "frozen, so it cannot end"
            thaw(name)
            assert process.wait(timeout=5) != 0
    finally:
        thaw(name)
        remove_cgroups(name)
    assert not (FREEZER / name).exists()


def test_groups_that_end_under_the_look_are_passed_over() -> None:
    name = f"gedge-test-{os.getpid()}"
    script = f"cd {FREEZER}; while mkdir -p {name}/a/b/c; do rmdir {name}/a/b/c {name}/a/b {name}/a; done"
    with subprocess.Popen(["sh", "-c", script], stderr=subprocess.DEVNULL) as busy:
        try:
            for _ in range(300):
                thaw(name)
        finally:
            busy.kill()
    remove_cgroups(name)
