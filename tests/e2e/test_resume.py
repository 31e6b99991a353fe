"""Runs that meet another one: one that works still, and what a killed one left at work (for kills see test_kills)."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e


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


def test_a_host_is_looked_at_when_the_last_step_of_a_killed_run_has_ended(lab: LabCluster) -> None:
    worker = lab.hosts["gedgew02"]
    held = "setsid flock /run/gedge.lock sh -c 'sleep 3; touch /run/ended' >/dev/null 2>&1 &"
    worker.run(f"{held}\nuntil ! flock --nonblock /run/gedge.lock true; do sleep 0.1; done")
    lab.ad_hoc(worker.name, "preflight")
    worker.run("rm /run/ended")


def test_a_host_that_is_off_is_left_out_until_it_answers_again(lab: LabCluster) -> None:
    off = "gedgew02"
    lab.lab_verb("stop", off)
    try:
        said = lab.gedge("apply", "--only", "nodes", code=1).stderr
        assert f"{off} cannot be reached" in said
        assert "what could be done without them is done" in said
        assert "-> when they answer again: gedge resume" in said
        assert "Verify the cluster" in said
        found = json.loads(lab.gedge("drift", "--only", "nodes", "--output", "json", code=3).stdout)
        assert [(entry["node"], entry["concern"]) for entry in found["differences"]] == [(off, "reachable")]
    finally:
        lab.lab_verb("start", off)
    deadline = time.monotonic() + 60
    while lab.hosts[off].run("systemctl is-active kubelet", check=False).strip() != "active":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert json.loads(lab.gedge("resume", "--output", "json").stdout)["status"] == "successful"
    assert "nothing to resume" in lab.gedge("resume").stdout
