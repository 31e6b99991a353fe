"""The annotation of nodes: what is written of a kubelet, and how it is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from topologies import SHAPES, topology, write_tree

from gedge_provision.models.alignment import ALIGNMENT, Alignment, KubeletPolicies
from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.planning.admission import describe, machine_of
from gedge_provision.planning.alignment import alignment_policy, read_alignment
from gedge_provision.planning.node_plans import plan_host
from plugins.module_utils.numa_layout import numa_layout

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("kubelet", "expected"),
    [
        ({}, {"topology": "best-effort"}),
        (
            {"cpu_manager_policy": "static", "kube_reserved": {"cpu": "500m"}},
            {"cpu": "static", "topology": "best-effort", "reserved_cpus": 1},
        ),
        (
            {
                "cpu_manager_policy": "static",
                "kube_reserved": {"cpu": "900m"},
                "system_reserved": {"cpu": "600m"},
                "topology_manager_policy": "single-numa-node",
            },
            {"cpu": "static", "topology": "single-numa-node", "reserved_cpus": 2},
        ),
        (
            {
                "cpu_manager_policy": "static",
                "reserved_system_cpus": "0,4",
                "kube_reserved": {"cpu": "500m"},
                "cpu_manager_policy_options": {"full-pcpus-only": True, "strict-cpu-reservation": False},
                "topology_manager_policy_options": {"prefer-closest-numa-nodes": True},
            },
            {
                "cpu": "static",
                "cpu_options": ["full-pcpus-only"],
                "topology": "best-effort",
                "topology_options": ["prefer-closest-numa-nodes"],
                "reserved": "0,4",
            },
        ),
        (
            {
                "memory_manager_policy": "Static",
                "kube_reserved": {"memory": "156Mi"},
                "reserved_memory": [{"numa_node": 0, "memory": "256Mi"}],
                "topology_manager_policy": "none",
            },
            {"memory": "Static", "reserved_memory": {"0": {"memory": 256 * 2**20}}},
        ),
    ],
)
def test_policies_of_a_class(kubelet: dict[str, object], expected: dict[str, object]) -> None:
    written = alignment_policy(KubeletSettings.model_validate(kubelet).to_kubelet())
    assert written == {"policies": expected}


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_host_tells_what_its_topology_tells(name: str, tmp_path: Path) -> None:
    """What the module reads of a host, as the annotation has it, is what is computed of the host's snapshot."""
    write_tree(name, tmp_path)
    policies = KubeletPolicies(cpu="static", reserved=frozenset({0}))
    text = json.dumps({"numa": numa_layout(str(tmp_path)), "policies": policies.model_dump(mode="json")})
    known, computed = read_alignment({ALIGNMENT: text}), describe(topology(name), policies)
    assert known is not None
    assert [_unordered(node) for node in known.model_dump()["numa"]] == [
        _unordered(node) for node in computed.model_dump()["numa"]
    ]
    assert known.policies == policies


def _unordered(node: dict[str, object]) -> dict[str, object]:
    cores = node["cores"]
    assert isinstance(cores, tuple)
    return {**node, "cores": sorted(cores)}


def test_the_playbook_writes_what_is_read(tmp_path: Path) -> None:
    """Its template gives the topology of the host, the devices of both roles that bring some, and the policies."""
    plays = yaml.safe_load((ROOT / "playbooks/site.yml").read_text(encoding="utf-8"))
    roles = [role for play in plays for role in play.get("roles", [])]
    (template,) = [role["nodes_annotations"] for role in roles if "nodes_annotations" in role]
    write_tree("emulated-node", tmp_path)
    host = {"numa_layout": numa_layout(str(tmp_path))}
    told = {"gedge_host": host, "gedge_sriov": {"numa": {"0": {"a.b/vf": 4}, "1": {"a.b/vf": 2}}}}
    policies = alignment_policy({"cpuManagerPolicy": "static", "topologyManagerPolicy": "restricted"})
    variables = {
        "hosts_of_this_run": ["w", "m", "other"],
        "gedge_alignment": {"w": policies, "m": alignment_policy({})},
        "gedge_emulated_gpus": {"w": {"1": {"nvidia.com/gpu": 1}}},
        "hostvars": {"w": {"ansible_facts": told}, "m": {"ansible_facts": {"gedge_host": host}}},
    }
    written = Templar(loader=DataLoader(), variables=variables).template(trust_as_template(template))
    assert set(written) == {"w", "m"}
    plain = read_alignment(written["m"])
    assert plain
    assert plain.policies == KubeletPolicies()
    known = read_alignment(written["w"])
    assert known
    assert [node.devices for node in known.numa] == [{"a.b/vf": 4}, {"a.b/vf": 2, "nvidia.com/gpu": 1}]
    assert known.policies == KubeletPolicies(cpu="static", topology="restricted")
    assert (
        machine_of(known).cpus_of_core == machine_of(describe(topology("emulated-node"), known.policies)).cpus_of_core
    )


def test_huge_pages_of_a_plan_are_told() -> None:
    machine = topology("emulated-node")
    intent = CpuIntent.model_validate({"profile": "pinned-numa", "huge_pages": [{"size": "2Mi", "count": 64}]})
    plan = plan_host(machine, intent, KubeletSettings())
    known = Alignment.model_validate({"numa": describe(machine, KubeletPolicies()).numa, **plan.alignment})
    assert {node: sum(sizes.values()) for node, sizes in known.huge_pages.items()} == {0: 32, 1: 32}
    assert known.policies.memory == "Static"


def test_what_another_version_wrote_is_unknown() -> None:
    old = {"numa": [{"id": 0, "cpus": "0-3"}], "policy": "single-numa-node", "full_cores": True}
    assert read_alignment({}) is None
    assert read_alignment({ALIGNMENT: "{}"}) is None
    assert read_alignment({ALIGNMENT: json.dumps(old)}) is None
