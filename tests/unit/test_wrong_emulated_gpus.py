"""Everything a person gets wrong about emulated GPUs ends in a place, a sentence and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from gedge_provision.models.errors import DocumentError
from gedge_provision.provisioning import load_site

GOOD = """\
name: seoul-1
node_classes:
  plain: {}
  ai:
    sriov:
      - {name: data, nics: {vendor: '8086', device: '1592'}, vfs: 4, resource: intel.com/vf}
    emulated_gpus:
      - {resource: nvidia.com/gpu, count: 2, numa_nodes: [0, 1]}
      - {resource: nvidia.com/mig-1g.5gb, count: 1, slices: 7, numa_nodes: [0], cdi: true}
nodes:
  - {name: m1, address: 192.168.40.11, roles: [control_plane], node_class: plain}
  - {name: w1, address: 192.168.40.21, node_class: ai}
"""
FORM = "write DOMAIN/NAME, like nvidia.com/gpu"

# What is written instead of what; then field, message, remedy (each a part of the text).
CASES = [
    ("nvidia.com/gpu,", "gpu,", "emulated_gpus[0].resource", "'gpu' is no resource to emulate", FORM),
    ("nvidia.com/gpu,", "nvidia/gpu,", "emulated_gpus[0].resource", "is no resource to emulate", FORM),
    ("nvidia.com/gpu,", "Nvidia.com/gpu,", "emulated_gpus[0].resource", "is no resource to emulate", FORM),
    ("nvidia.com/gpu,", "nvidia.com/gpu-,", "emulated_gpus[0].resource", "is no resource to emulate", FORM),
    ("nvidia.com/gpu,", "nvidia.com/a/b,", "emulated_gpus[0].resource", "is no resource to emulate", FORM),
    ("nvidia.com/gpu,", "kubernetes.io/gpu,", "emulated_gpus[0].resource", "is no resource to emulate", FORM),
    ("nvidia.com/gpu,", "x.kubernetes.io/gpu,", "emulated_gpus[0].resource", "is no resource to emulate", FORM),
    ("nvidia.com/gpu,", "requests.nvidia.com/gpu,", "emulated_gpus[0].resource", "is no resource to emulate", FORM),
    ("count: 2", "count: 0", "emulated_gpus[0].count", "0 is out of range", "from 1"),
    ("count: 2", "count: 17", "emulated_gpus[0].count", "17 is out of range", "up to 16"),
    ("slices: 7", "slices: 0", "emulated_gpus[1].slices", "0 is out of range", "from 1"),
    ("slices: 7", "slices: 49", "emulated_gpus[1].slices", "49 is out of range", "up to 48"),
    ("[0, 1]", "[0, -1]", "emulated_gpus[0].numa_nodes[1]", "-1 is out of range", "from 0"),
    ("[0, 1]", "[0, 1, 0]", "emulated_gpus[0].numa_nodes", "3 NUMA nodes for 2 GPUs", "name 2 at most, or raise count"),
    (
        "    emulated_gpus:",
        "    gpu: {driver: preinstalled}\n    emulated_gpus:",
        "node_classes.ai.emulated_gpus",
        "nodes with GPUs (gpu) refuse emulated ones",
        "take one of the two out",
    ),
    ("cdi: true", "cdi: maybe", "emulated_gpus[1].cdi", "maybe", "true"),
    ("count: 2", "number: 2", "emulated_gpus[0]", "number", "count"),
    (
        "nvidia.com/mig-1g.5gb",
        "nvidia.com/gpu",
        "emulated_gpus[1].resource",
        "nvidia.com/gpu is the resource of emulated_gpus[0] too",
        "write it once with a larger count",
    ),
    (
        "nvidia.com/mig-1g.5gb",
        "intel.com/vf",
        "emulated_gpus[1].resource",
        "intel.com/vf is the resource of SR-IOV policy data too",
        "give it another name",
    ),
    (
        "plain: {}",
        "plain: {labels: {gedge.dev/emulated-gpus: 'false'}}",
        "labels.gedge.dev/emulated-gpus",
        "is set by what the site file says",
        "take it out",
    ),
]


def test_the_good_one_is_good(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    path.write_text(GOOD, encoding="utf-8")
    assert [one.resource for one in load_site(path).node_classes["ai"].emulated_gpus] == [
        "nvidia.com/gpu",
        "nvidia.com/mig-1g.5gb",
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[2]}-{case[1]}")
def test_what_is_wrong_is_told(tmp_path: Path, case: tuple[str, str, str, str, str]) -> None:
    old, new, field, message, remedy = case
    assert old in GOOD
    path = tmp_path / "site.yml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        load_site(path)
    said = str(caught.value)
    assert field in said
    assert message in said
    assert remedy in said.partition("->")[2]
