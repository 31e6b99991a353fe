"""Watching the nodes of a cluster: a change is seen when it is made."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gedge_provision import api

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

WORKER = "gedgew02"


def test_a_cordon_is_seen_by_the_api_and_by_the_command(lab: LabCluster) -> None:
    command = [Path(sys.executable).with_name("gedge"), "status", "--watch", "--site", lab.site_path]
    former = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # children receive ^C in a script's background too
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                views = api.watch(lab.site_path, timeout_s=120)
                nodes = next(views)
                assert list(nodes) == api.status(lab.site_path)
                assert [process.stdout.readline().split("\t")[1] for _ in nodes] == [node.name for node in nodes]

                lab.kubectl("cordon", WORKER)
                assert [node.name for node in next(views) if node.cordoned] == [WORKER]
                assert process.stdout.readline().split("\t")[1:5:3] == [WORKER, "ready, cordoned"]
                lab.kubectl("uncordon", WORKER)
                assert next(views) == nodes
                assert process.stdout.readline().split("\t")[1:5:3] == [WORKER, "ready"]
                process.send_signal(signal.SIGINT)
                assert process.wait(60) == 130
            finally:
                process.kill()
    finally:
        signal.signal(signal.SIGINT, former)
        lab.kubectl("uncordon", WORKER)
