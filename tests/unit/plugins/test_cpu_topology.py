"""The reader of /sys and /proc, on trees as real machines have them, and on this machine."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest
from topologies import SHAPES, snapshot, write_tree

from gedge_provision.models.cpusets import parse_cpuset
from gedge_provision.models.topology import Topology
from plugins.module_utils.cpu_topology import read_topology

_OF_THE_MODULE = ("host", "architecture", "kernel", "container")


@pytest.mark.parametrize("name", list(SHAPES))
def test_what_is_read_is_what_the_machine_is(name: str, tmp_path: Path) -> None:
    write_tree(name, tmp_path)
    found = read_topology(str(tmp_path))
    wanted = {key: value for key, value in snapshot(name).items() if key not in _OF_THE_MODULE}
    assert found == wanted
    Topology.model_validate({**found, "host": name})


def test_this_machine_is_read() -> None:
    found = Topology.model_validate(read_topology("/"))
    assert found.online == parse_cpuset(Path("/sys/devices/system/cpu/online").read_text(encoding="utf-8").strip())
    assert sum(node.memory_kib for node in found.numa) > 0
    assert platform.machine() != "x86_64" or found.processor


def test_a_tree_with_nothing_but_cpus_is_one_node(tmp_path: Path) -> None:
    for cpu in range(2):
        (tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology").mkdir(parents=True)
    found = Topology.model_validate(read_topology(str(tmp_path)))
    assert [(node.id, node.cpus) for node in found.numa] == [(0, {0, 1})]
    assert len(found.cores) == 2


def test_arm_capacities_tell_the_kind_of_cores(tmp_path: Path) -> None:
    for cpu, capacity in enumerate((446, 446, 1024, 1024)):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}"
        folder.mkdir(parents=True)
        (folder / "cpu_capacity").write_text(f"{capacity}\n", encoding="utf-8")
    found: dict[str, Any] = read_topology(str(tmp_path))
    assert [cpu["kind"] for cpu in found["cpus"]] == ["efficiency", "efficiency", "performance", "performance"]
