"""Traces on the host: a frozen process ends all the same."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from gedge_provision.adapters.host_traces import kill, processes_in, remove_cgroups, thaw

FREEZER = Path("/sys/fs/cgroup/freezer")


@pytest.mark.skipif(not FREEZER.is_dir() or os.geteuid() != 0, reason="needs root and the freezer of cgroup version 1")
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
