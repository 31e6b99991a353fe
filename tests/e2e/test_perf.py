"""Measurements on a cluster: figures of both paths, one run at a time, and nothing left of any."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gedge_provision.adapters.locations import state_dir

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

BIN = Path(sys.executable).parent
NAMESPACE = ("get", "namespace", "gedge-perf", "--ignore-not-found", "-o", "name")
OPTIONS = ("--network", "host", "--network", "flannel", "--seconds", "1", "--rounds", "1")


@contextmanager
def started(lab: LabCluster, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Start a run and wait until it is at work on the cluster; it does not outlive a test that fails."""
    command = [str(BIN / "gedge"), "perf", "net", *OPTIONS, *options, "--site", str(lab.site_path)]
    holder = state_dir() / "sites" / lab.name / "perf" / "holder.json"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            end = time.monotonic() + 120
            # A run that was killed has left both; they are this one's when they name it.
            while not (holder.is_file() and f'"pid": {run.pid},' in holder.read_text() and lab.kubectl(*NAMESPACE)):
                assert run.poll() is None, run.communicate()
                assert time.monotonic() < end, "it does not begin"
                time.sleep(0.2)
            yield run
        finally:
            run.kill()


@pytest.fixture
def _nothing_stays(lab: LabCluster) -> Iterator[None]:
    """Remove the pods of a run that failed: later tests drain nodes, which pods that nobody owns are in the way of."""
    yield
    lab.kubectl("delete", "namespace", "gedge-perf", "--ignore-not-found")


@pytest.mark.usefixtures("_nothing_stays")
def test_two_nodes_are_measured_by_one_run_at_a_time_and_nothing_is_left(lab: LabCluster, tmp_path: Path) -> None:
    with started(lab) as killed:
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=30)
    assert lab.kubectl(*NAMESPACE)

    page = tmp_path / "net.html"
    with started(lab, "--out", str(page), "--output", "json") as run:
        rival = lab.gedge("perf", "net", *OPTIONS, code=1)
        assert "another run works on measurements" in rival.stderr
        printed, progress = run.communicate(timeout=600)
    assert run.returncode == 0, progress
    assert "Remove what a former run left" in progress
    assert lab.kubectl(*NAMESPACE) == ""
    for host in lab.hosts.values():
        assert host.run("pgrep -x 'iperf3|sockperf' || true") == ""

    results = json.loads(printed)
    assert (results["state"], results["problems"]) == ("complete", [])
    assert results["emulated"]
    assert {(path["name"], path["mtu"] > 1000) for path in results["paths"]} == {("host", False), ("flannel", True)}
    measured = {(sample["path"], sample["measure"]) for sample in results["samples"]}
    measures = ("tcp", "tcp-parallel", "udp", "ping-pong", "under-load")
    assert measured == {(path, measure) for path in ("host", "flannel") for measure in measures}
    folder = state_dir() / "sites" / lab.name / "perf" / results["id"]
    for sample in results["samples"]:
        assert all(value >= 0 for value in sample["values"].values())
        assert sample["values"].get("mbit_s", 1) > 0
        assert sample["values"].get("p50_us", 1) > 0
        assert (folder / sample["raw"]).read_text(encoding="utf-8")
    assert "EMULATED" in page.read_text(encoding="utf-8")

    listed = json.loads(lab.gedge("perf", "list", "--output", "json").stdout)
    assert (listed[0]["id"], listed[0]["results"]["state"]) == (results["id"], "complete")
    shown = lab.gedge("perf", "show", results["id"][:15]).stdout
    assert "EMULATED: a lab on one machine" in shown
    real = tmp_path / "real.json"
    real.write_text(json.dumps(results | {"emulated": False}), encoding="utf-8")
    refused = lab.gedge("perf", "compare", results["id"], real, code=2)
    assert "they cannot be compared" in refused.stderr
