"""Settings in plain playbooks are refused before anything changes, by what the host tells of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from gedge_provision.models.topology import Topology
from gedge_provision.planning.cpu_plans.written import kubelet_host
from gedge_provision.planning.kubelet_checks import told_host
from plugins.module_utils import host_machine
from plugins.module_utils.cpu_topology import read_topology

ROOT = Path(__file__).resolve().parents[3]
FACTS = {
    "numa": [{"id": 0, "cpus": "0-3"}],
    "numa_memory_kib": {"0": 4194304},
    "numa_distances": True,
    "sockets": 1,
    "memory_kib": 4194304,
    "cgroup_version": 2,
    "can_raise_limits": True,
    "container": False,
    "control_plane": False,
}


def test_the_facts_of_preflight_are_what_the_reader_of_topologies_tells() -> None:
    facts = {
        "numa": host_machine.numa_nodes(),
        "numa_memory_kib": host_machine.numa_memory_kib(),
        "numa_distances": host_machine.numa_distances(),
        "sockets": host_machine.sockets(),
        "memory_kib": host_machine.memory_kib("/proc/meminfo"),
    }
    told = told_host(facts, control_plane=True)
    read = kubelet_host(Topology.model_validate({**read_topology("/"), "host": "here"}), control_plane=True)
    assert (told.cpus, told.numa, told.sockets, told.cpu_nodes) == (read.cpus, read.numa, read.sockets, read.cpu_nodes)
    assert told.control_plane
    assert told.memory > 0


CASES: list[tuple[dict[str, Any], bool, str]] = [
    ({"cpuManagerPolicy": "static"}, False, "needs CPUs reserved for the system -> set kubeReserved.cpu"),
    ({"reservedSystemCPUs": "3-4"}, False, "of these CPUs 4 are not online; online are 0-3 -> write 3"),
    ({"kubeReserved": {"cpu": "3500m"}}, True, "static pods of a control-plane node need 650m"),
    ({"kubeReserved": {"cpu": 1}}, False, "kubeReserved.cpu is 1, where the kubelet wants text -> put it in quotes"),
    ({"maxpods": 30}, False, "the kubelet has no field maxpods -> did you mean maxPods?"),
    ({"kubeReserved": {"cpu": "3500m"}, "maxPods": 30}, False, ""),
]


def test_the_role_refuses_what_no_kubelet_starts_with(tmp_path: Path) -> None:
    """One host for each case."""
    hosts = {
        f"case{number}": {"kubelet_config": config, "kubelet_control_plane": control_plane}
        for number, (config, control_plane, _) in enumerate(CASES)
    }
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    tasks = [
        {"ansible.builtin.set_fact": {"gedge_host": FACTS, "cacheable": True}},
        {"ansible.builtin.include_role": {"name": "kubelet", "tasks_from": "rules.yml"}},
    ]
    book = tmp_path / "play.yml"
    book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, "-c", "local", book],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    output = " ".join((done.stdout + done.stderr).split())
    for number, (_, _, said) in enumerate(CASES):
        assert (f"fatal: [case{number}]: FAILED!" in output) == bool(said), output
        assert said in output
