"""The kubelet's own code as judge of configurations: compiled from the sources of the version that is installed.

Run as a program it writes the names that this version knows into gedge_provision/data/kubelet.json.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.go import compile_go, find_toolchains, install_toolchain, read_modules
from gedge_provision.adapters.kubelet_names import KUBELET_NAMES
from gedge_provision.adapters.locations import cache_dir, content_dir
from gedge_provision.models.topology import Topology
from gedge_provision.planning.artifacts import acceptable_go, required_go

_SOURCES = Path(__file__).parent / "kubelet_rules"
_KIB = 1024


@dataclass(frozen=True)
class Verdict:
    """What the kubelet says: why it would not start (empty: it does), and the CPUs that pods may own, as a list."""

    error: str
    allocatable: str


def compile_judge(folder: Path) -> Path:
    """Compile the judge, with the go.mod that pins the kubelet of the catalog."""
    module = content_dir() / "gobuild/kubernetes"
    for file in (module / "go.mod", module / "go.sum", *_SOURCES.glob("*.go"), *_SOURCES.glob("*.s")):
        shutil.copy(file, folder)
    catalog = load_catalog()
    required = required_go(
        read_modules(content_dir() / "gobuild", {"kubernetes": catalog.products["kubernetes"]}).values()
    )
    at_hand = [one for one in find_toolchains(cache_dir()) if acceptable_go(one.version, required)]
    toolchain = at_hand[0] if at_hand else install_toolchain(cache_dir())
    program = folder / "judge"
    compile_go(toolchain, folder, catalog.products["kubernetes"], package=".", flags="", output=program)
    return program


def ask(program: Path, questions: Mapping[str, tuple[Topology, Mapping[str, Any]]]) -> dict[str, Verdict]:
    """Ask about machines with fields of the KubeletConfiguration, by name."""
    asked = [_question(name, topology, fields) for name, (topology, fields) in questions.items()]
    done = subprocess.run([program], input=json.dumps(asked), capture_output=True, text=True, check=True)
    return {answer["name"]: Verdict(answer["error"], answer["allocatable"]) for answer in json.loads(done.stdout)}


def _question(name: str, topology: Topology, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "machine": machine_info(topology),
        "configuration": {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,  # the kubelet looks at this machine for that, not at the one in question
            **fields,
        },
    }


@dataclass(frozen=True)
class Admission:
    """What the kubelet says of a pod: why it refuses (empty: it admits), and what each container owns then.

    CPUs as a list; memory as kind, bytes and NUMA nodes; devices by id.
    """

    reason: str
    cpus: Mapping[str, str]
    memory: Mapping[str, frozenset[tuple[str, int, tuple[int, ...]]]]
    devices: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Course:
    """Pods that come to a kubelet one after the other, and end: manifests, and UIDs of those that end.

    `devices` are the NUMA nodes of each device, by resource and id.
    """

    topology: Topology
    kubelet: Mapping[str, Any]
    devices: Mapping[str, Mapping[str, Sequence[int]]]
    steps: Sequence[Mapping[str, Any] | str]


def ask_pods(program: Path, courses: Mapping[str, Course]) -> dict[str, list[Admission]]:
    """Ask which pods are admitted, by name of the course.

    Raises:
        AssertionError: the kubelet does not start with that configuration.
    """
    asked = [
        {
            **_question(name, course.topology, course.kubelet),
            "devices": course.devices,
            "steps": [{"end": step} if isinstance(step, str) else {"pod": step} for step in course.steps],
        }
        for name, course in courses.items()
    ]
    done = subprocess.run([program, "admit"], input=json.dumps(asked), capture_output=True, text=True, check=True)
    answers = json.loads(done.stdout)
    broken = {answer["name"]: answer["error"] for answer in answers if answer["error"]}
    assert not broken, broken
    return {answer["name"]: list(map(_admission, answer["verdicts"])) for answer in answers}


def _admission(verdict: Mapping[str, Any]) -> Admission:
    return Admission(
        verdict["reason"],
        verdict["cpus"],
        {
            name: frozenset((block["kind"], block["bytes"], tuple(block["numa_nodes"])) for block in blocks)
            for name, blocks in verdict["memory"].items()
        },
        {name: tuple(ids) for name, ids in verdict["devices"].items() if ids},
    )


def known_names(program: Path) -> dict[str, Any]:
    """Return the fields and feature gates that the kubelet knows, as the data file has them."""
    done = subprocess.run([program, "names"], capture_output=True, text=True, check=True)
    version = load_catalog().products["kubernetes"].version
    return {"version": ".".join(version.removeprefix("v").split(".")[:2]), **json.loads(done.stdout)}


def machine_info(topology: Topology) -> dict[str, Any]:
    """Return a host as cAdvisor describes it to the kubelet (info/v1, MachineInfo)."""
    caches = {cpu: place for place, cache in enumerate(topology.last_level_caches) for cpu in cache.cpus}
    memory = sum(node.memory_kib for node in topology.numa) * _KIB
    return {
        "num_cores": len(topology.online),
        "num_physical_cores": len(topology.cores),
        "num_sockets": len(topology.sockets),
        "memory_capacity": memory,
        "topology": [
            {
                "node_id": node.id,
                "memory": node.memory_kib * _KIB,
                "hugepages": [{"page_size": pages.size_kib, "num_pages": pages.total} for pages in node.huge_pages],
                "distances": list(node.distances.values()) or None,  # as cAdvisor where the kernel tells none
                "cores": [
                    {
                        "core_id": core.core,
                        "thread_ids": sorted(core.cpus),
                        "socket_id": core.socket,
                        "uncore_caches": [{"id": caches[min(core.cpus)], "level": 3}] if caches else [],
                    }
                    for core in topology.cores
                    if core.numa_node == node.id
                ],
            }
            for node in topology.numa
        ],
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as built:
        text = json.dumps(known_names(compile_judge(Path(built))), indent=1, sort_keys=True)
    KUBELET_NAMES.write_text(f"{text}\n", encoding="utf-8")
