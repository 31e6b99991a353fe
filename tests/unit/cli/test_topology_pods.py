"""`gedge topology pods` as it is printed, and what it refuses before any host is asked."""

from __future__ import annotations

import json

import pytest
from pod_looks import container, device, looked
from typer.testing import CliRunner

from gedge_provision.cli._main import app
from gedge_provision.cli.topology_pods import show_nodes
from gedge_provision.models.errors import UsageError
from gedge_provision.models.pod_alignment import NodePods


def test_columns_stand_below_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    found = looked(
        ("a", [container("main", cpus="2,3", devices=[device(1, ids=["0000:01:00.0", "x[y]"])])]),
        ("a-pod-with-a-much-longer-name-6c5d9", [container("a-side-container", cpus="6,7")]),
        kubelet={"topologyManagerPolicy": "restricted"},
    )
    show_nodes([found])
    lines = capsys.readouterr().out.splitlines()
    head = next(line for line in lines if "container" in line and "NUMA" in line)
    rows = [line for line in lines if line.startswith(" node  ns/")]
    assert len(rows) == 2
    for title in ("pod", "container", "CPUs", "NUMA", "memory", "devices"):
        place = head.index(title)
        assert all(row[place - 2 : place] == "  " and row[place] != " " for row in rows), title
    assert "intel.com/vf 0000:01:00.0 x[y] on 1" in rows[0]
    assert lines[-2].startswith("error: node ns/a main: its CPUs 2-3 are on NUMA node 0, but it has intel.com/vf (0000")
    assert lines[-1].startswith("  -> delete the pod")


def test_what_is_printed_for_programs_can_be_read_again() -> None:
    found = looked(("a", [container(cpus="3", devices=[device(1)])]))
    assert NodePods.model_validate(json.loads(json.dumps(found.model_dump(mode="json")))) == found


def test_a_node_that_is_not_there_is_told() -> None:
    done = CliRunner().invoke(app, ["topology", "pods", "gedgew99", "--site", "inventories/lab/site.yml"])
    assert isinstance(done.exception, UsageError)
    assert "there is no node 'gedgew99'" in str(done.exception)
    assert "-> name nodes of gedgem01, gedgew01, gedgew02" in str(done.exception)
