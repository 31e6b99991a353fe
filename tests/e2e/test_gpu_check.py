"""`gedge gpu check` on a cluster without GPUs: what is in images, which one tells nothing, and that nothing is left."""

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

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.locations import state_dir

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

BIN = Path(sys.executable).parent
NODE = "gedgew01"
NAMESPACE = ("get", "namespace", "gedge-gpu-check", "--ignore-not-found", "-o", "name")


def image(name: str) -> str:
    """Return an image that the nodes of the lab have."""
    artifact = load_catalog().artifact(name)
    assert artifact is not None
    assert artifact.reference is not None
    return artifact.reference


@contextmanager
def started(lab: LabCluster, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Start a look and wait until it is at work on the cluster; it does not outlive a test that fails."""
    command = [str(BIN / "gedge"), "gpu", "check", *words, "--site", str(lab.site_path)]
    holder = state_dir() / "sites" / lab.name / "gpu-check" / "holder.json"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            end = time.monotonic() + 60
            # A look that was killed has left both; they are this one's when they name it.
            while not (holder.is_file() and f'"pid": {run.pid},' in holder.read_text() and lab.kubectl(*NAMESPACE)):
                assert run.poll() is None, run.communicate()
                assert time.monotonic() < end, "it does not begin"
                time.sleep(0.1)
            yield run
        finally:
            run.kill()


@pytest.fixture(autouse=True)
def _nothing_stays(lab: LabCluster) -> Iterator[None]:
    """Hold each test to it; remove the pod of one that failed: later tests drain nodes, and nobody owns it."""
    yield
    left = lab.kubectl(*NAMESPACE)
    lab.kubectl("delete", "namespace", "gedge-gpu-check", "--ignore-not-found")
    assert left == ""


def test_an_image_with_a_shell_and_without_cuda_runs_everywhere(lab: LabCluster) -> None:
    done = lab.gedge("gpu", "check", image("network-tools"), "--node", NODE, "--output", "json")
    answer = json.loads(done.stdout)
    assert (answer["report"]["image"], answer["report"]["node"]) == (image("network-tools"), NODE)
    assert (answer["report"]["cuda"], answer["report"]["frameworks"]) == ([], [])
    assert [(one["answer"], one["reason"]) for one in answer["classes"]] == [
        ("fits", "no CUDA in this image: it needs no driver")
    ]
    said = lab.gedge("gpu", "check", image("network-tools")).stdout
    assert "none found" in said
    assert "no CUDA in this image" in said


def test_an_image_without_a_shell_is_told(lab: LabCluster) -> None:
    done = lab.gedge("gpu", "check", image("pause"), "--node", NODE, code=1)
    assert f"{image('pause')}: the image has no shell, so nothing can be read from it" in done.stderr
    assert "gedge gpu check --from FILE" in done.stderr


def test_an_image_that_nodes_do_not_get(lab: LabCluster) -> None:
    done = lab.gedge("gpu", "check", "127.0.0.1:9/nobody/nothing:1", "--timeout", "120", code=1)
    assert "the node does not get the image" in done.stderr


def test_no_gpu_to_look_on(lab: LabCluster) -> None:
    done = lab.gedge("gpu", "check", image("network-tools"), "--node", NODE, "--on-gpu", code=1)
    assert f"{NODE}: no GPU is free" in done.stderr


def test_a_killed_look_is_cleared_away_by_the_next_and_one_goes_at_a_time(lab: LabCluster) -> None:
    words = (image("network-tools"), "--node", NODE)
    with started(lab, *words) as killed:
        killed.send_signal(signal.SIGSTOP)  # so that it does not end before the rival begins
        rival = lab.gedge("gpu", "check", *words, code=1)
        assert "another run works on a look into an image" in rival.stderr
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=30)
    assert lab.kubectl(*NAMESPACE)
    done = lab.gedge("gpu", "check", *words)
    assert "Remove what a former run left" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_look_takes_its_pod_away(lab: LabCluster, number: signal.Signals) -> None:
    with started(lab, "127.0.0.1:9/nobody/nothing:1", "--node", NODE) as run:
        run.send_signal(number)
        _, said = run.communicate(timeout=240)
    assert run.returncode == 130, said
