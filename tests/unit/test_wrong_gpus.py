"""Everything that cannot work of GPUs is refused when the site is read, with a place, a sentence and a remedy."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gedge_provision.adapters.gpu_versions import load_gpu_versions
from gedge_provision.models.documents import Problem, parse_yaml, validate
from gedge_provision.models.errors import DocumentError
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu_version_checks import check_gpu_versions
from gedge_provision.planning.site_checks import check_site
from gedge_provision.provisioning import load_site

GOOD = """\
name: seoul-1
gpu_operator:
  version: 26.7.0
  driver: {version: '595.91.07', kernel_modules: auto}
  toolkit: {nri: true}
  cdi: true
  mig_strategy: mixed
  pass_device_specs: false
node_classes:
  plain: {}
  ai:
    shared_rdma: [{resource: rdma/hca, nics: {vendor: 15b3}}]
    gpu:
      driver: operator
      mig: all-1g.10gb
      gpudirect_rdma: dma-buf
      sharing:
        mode: time-slicing
        replicas: {nvidia.com/mig-1g.10gb: 2}
  big:
    gpu: {driver: preinstalled, driver_version: '580.126.20'}
nodes:
  - {name: m1, address: 192.168.40.11, roles: [control_plane], node_class: plain}
  - {name: w1, address: 192.168.40.21, node_class: ai}
  - {name: w2, address: 192.168.40.22, node_class: ai, gpu: {mig: all-2g.20gb}}
  - {name: w3, address: 192.168.40.23, node_class: big}
"""
CLAIMS = """\
name: seoul-1
gpu_operator:
  allocation: dra
  driver: {version: '595.91.07'}
node_classes:
  plain: {}
  ai:
    gpu: {driver: operator}
  big:
    gpu: {driver: operator}
nodes:
  - {name: m1, address: 192.168.40.11, roles: [control_plane], node_class: plain}
  - {name: w1, address: 192.168.40.21, node_class: ai}
  - {name: w2, address: 192.168.40.22, node_class: big}
"""

# What is written instead of what; then field, message, remedy (each a part of the text).
CASES = [
    # single fields
    ("version: 26.7.0", "version: v26.7", "gpu_operator.version", "is no exact version", "three numbers"),
    ("'595.91.07'", "'595'", "driver.version", "is no version of a GPU driver", "nvidia-smi"),
    ("'595.91.07'", "595.91", "driver.version", "is no version of a GPU driver", "in quotes"),
    (
        "driver: operator",
        "driver: host",
        "ai.gpu.driver",
        "'host' is not possible here",
        "operator, preinstalled, none",
    ),
    ("mode: time-slicing", "mode: slices", "sharing.mode", "'slices' is not possible here", "time-slicing, mps"),
    ("mig-1g.10gb: 2", "mig-1g.10gb: 1", "replicas.nvidia.com/mig-1g.10gb", "1 is out of range", "from 2"),
    ("nvidia.com/mig-1g.10gb: 2", "amd.com/gpu: 2", "replicas.amd.com/gpu", "is no resource of the GPU", "nvidia.com"),
    ("mig: all-1g.10gb", "mig: ALL", "ai.gpu.mig", "'ALL' is no name of a MIG layout", "all-balanced"),
    ("driver: operator", "drvier: operator", "ai.gpu.drvier", "unknown key", "did you mean 'driver'?"),
    ("mig_strategy: mixed", "mig_strategy: both", "mig_strategy", "'both' is not possible", "none, single, mixed"),
    # drivers
    (
        "driver: operator\n",
        "driver: operator\n      driver_version: '580.126.20'\n",
        "ai.gpu.driver_version",
        "it tells which driver hosts have, and here the driver is operator",
        "gpu_operator.driver.version",
    ),
    (
        "{driver: preinstalled, driver_version: '580.126.20'}",
        "{driver: none, driver_version: '580.126.20'}",
        "big.gpu.driver_version",
        "here the driver is none",
        "preinstalled",
    ),
    ("driver: operator", "driver: none", "ai.gpu.mig", "leaves nodes alone whose driver is none", "take it out"),
    ("driver: operator", "driver: none", "ai.gpu.sharing", "leaves nodes alone whose driver is none", "take it out"),
    ("driver: operator", "driver: none", "nodes[2].gpu", "the class ai has no GPUs for the operator", "add gpu to"),
    (
        "driver: operator",
        "driver: preinstalled",
        "gpu_operator.driver.version",
        "no class has its driver from the operator",
        "set driver: operator",
    ),
    ("'580.126.20'", "'470.256.02'", "big.gpu.driver_version", "is for drivers from 535 on", "595.91.07"),
    ("'595.91.07'", "'470.256.02'", "driver.version", "is for drivers from 535 on", "a later one"),
    (
        "'595.91.07'",
        "'570.86.10'",
        "driver.version",
        "kernel_modules: auto needs driver 570.86.15",
        "open or proprietary",
    ),
    (
        "'580.126.20'",
        "'570.133.20'",
        "big.gpu.driver_version",
        "pods wait for ever on nodes that have MIG",
        "570.172.08",
    ),
    ("'595.91.07'", "'570.148.08'", "driver.version", "NVIDIA/gpu-operator issue 1361", "570.172.08 or later"),
    # versions
    (
        "version: 26.7.0",
        "version: 25.3.0",
        "gpu_operator.version",
        "nothing is known of operator 25.3.0",
        "26.7.0, 26.3.2",
    ),
    (
        "version: 26.7.0",
        "version: 26.3.1",
        "gpu_operator.version",
        "is for Kubernetes 1.32 to 1.35, and the site has 1.36.4",
        "another version",
    ),
    (
        "toolkit: {nri: true}",
        "toolkit: {nri: false}",
        "gpu_operator.toolkit.nri",
        "containerd 2.3.4: the toolkit writes a piece of configuration of version 4",
        "toolkit.nri to true",
    ),
    # ways in
    ("cdi: true", "cdi: false", "gpu_operator.cdi", "NRI plugin gives devices by CDI", "cdi: true"),
    (
        "    gpu: {driver: preinstalled, driver_version: '580.126.20'}",
        "    gpu: {driver: preinstalled}\n    kubelet: {cpu_manager_policy: static, reserved_system_cpus: '0'}",
        "gpu_operator.pass_device_specs",
        "pods own CPUs on w3",
        "set it to true",
    ),
    (
        "node_class: big}",
        "node_class: big, cpus: {profile: pinned}}",
        "gpu_operator.pass_device_specs",
        "pods own CPUs on w3",
        "take it out",
    ),
    (
        "cdi: true",
        "feature_discovery: false",
        "gpu_operator.feature_discovery",
        "the MIG manager, which the class ai needs",
        "set it to true",
    ),
    # MIG
    ("mig_strategy: mixed", "mig_strategy: none", "ai.gpu.mig", "nobody is offered MIG devices", "single or mixed"),
    ("mig_strategy: mixed", "mig_strategy: none", "nodes[2].gpu.mig", "nobody is offered MIG devices", "single or"),
    (
        "mig_strategy: mixed",
        "mig_strategy: single",
        "replicas.nvidia.com/mig-1g.10gb",
        "have names of their own under the strategy mixed only",
        "share nvidia.com/gpu",
    ),
    ("mig: all-1g.10gb", "mig: quarters", "ai.gpu.mig", "'quarters' is no layout that the MIG manager", "mig_layouts"),
    ("mig: all-1g.10gb", "mig: all-9g.90gb", "ai.gpu.mig", "'all-9g.90gb' is no layout", "all-balanced"),
    (
        "mig_strategy: mixed",
        "mig_strategy: mixed\n  mig_layouts: {mine: [{profiles: {1g.10gb: 7, 7g.80gb: 1}}]}",
        "mig_layouts.mine[0].profiles",
        "these take 14 compute slices of a GPU, which has 7",
        "leave some out",
    ),
    ("mig: all-1g.10gb", "mig: all-small", "ai.gpu.mig", "'all-small' is no layout", "all-balanced"),
    (
        "mig-1g.10gb: 2",
        "mig-3g.40gb: 2",
        "replicas.nvidia.com/mig-3g.40gb",
        "no layout of the class makes nvidia.com/mig-3g.40gb",
        "those have nvidia.com/mig-1g.10gb, nvidia.com/mig-2g.20gb",
    ),
    (
        "mig_strategy: mixed",
        "mig_strategy: mixed\n  mig_layouts: {halves: [{profiles: {3g.40gb: 2}}]}",
        "ai.gpu.mig",
        "all-1g.10gb is none of them",
        "use one of halves, all-disabled",
    ),
    (
        "mig_strategy: mixed",
        "mig_strategy: mixed\n  mig_layouts: {all-disabled: [{profiles: {}}]}",
        "mig_layouts.all-disabled",
        "all-disabled is there by itself",
        "take it out",
    ),
    (
        "mig_strategy: mixed",
        "mig_strategy: mixed\n  mig_layouts: {mine: [{devices: [0, 1]}, {devices: [1], profiles: {1g.10gb: 7}}]}",
        "mig_layouts.mine[1].devices",
        "GPU 1 is divided twice",
        "in one part only",
    ),
    (
        "mig_strategy: mixed",
        "mig_strategy: mixed\n  mig_layouts: {mine: [{devices: [0]}, {profiles: {1g.10gb: 7}}]}",
        "mig_layouts.mine[1].devices",
        "a part for all GPUs leaves none",
        "keep this part alone",
    ),
    (
        "mig_strategy: mixed",
        "mig_strategy: mixed\n  mig_layouts: {mine: [{profiles: {10gb: 7}}]}",
        "profiles.10gb",
        "'10gb' is no MIG profile",
        "nvidia-smi mig -lgip",
    ),
    # sharing
    ("mode: time-slicing", "mode: mps", "sharing.mode", "MPS does not work on MIG devices", "time-slicing"),
    (
        "mode: time-slicing",
        "mode: mps",
        "replicas.nvidia.com/mig-1g.10gb",
        "MPS shares whole GPUs only",
        "use nvidia.com/gpu",
    ),
    ("mode: time-slicing", "mode: mps", "sharing.mode", "beside gpu_operator.mig_strategy mixed", "single or none"),
    ("mode: time-slicing", "mode: mps", "nodes[2].gpu.mig", "are shared by MPS", "give the node another class"),
    (
        "mode: time-slicing",
        "mode: mps\n        one_each: true",
        "sharing.one_each",
        "never gives a container more than one part",
        "take it out",
    ),
    # GPUDirect RDMA
    (
        "{driver: preinstalled, driver_version: '580.126.20'}",
        "{driver: operator, gpudirect_rdma: dma-buf}",
        "big.gpu.gpudirect_rdma",
        "the class has no network card with RDMA",
        "shared_rdma",
    ),
    (
        "{driver: preinstalled, driver_version: '580.126.20'}",
        "{driver: preinstalled, gpudirect_rdma: nvidia-peermem}",
        "big.gpu.gpudirect_rdma",
        "loads nvidia-peermem with its own driver only",
        "use dma-buf",
    ),
    (
        "kernel_modules: auto}",
        "kernel_modules: proprietary}",
        "ai.gpu.gpudirect_rdma",
        "only open kernel modules export the memory",
        "nvidia-peermem",
    ),
    (
        "{driver: preinstalled, driver_version: '580.126.20'}",
        "{driver: operator, gpudirect_rdma: nvidia-peermem}",
        "big.gpu.gpudirect_rdma",
        "one for all nodes, and the class ai has dma-buf",
        "write dma-buf",
    ),
    # elsewhere
    (
        "node_class: big}",
        "node_class: big, labels: {nvidia.com/mig.config: all-2g.20gb}}",
        "nodes[3].labels.nvidia.com/mig.config",
        "nvidia.com/mig.config is set by what the site file says of GPUs",
        "take it out",
    ),
    (
        "plain: {}",
        "plain: {labels: {nvidia.com/gpu.deploy.driver: 'false'}}",
        "plain.labels.nvidia.com/gpu.deploy.driver",
        "is set by what the site file says of GPUs",
        "take it out",
    ),
    (
        "node_class: plain}",
        "node_class: plain, gpu: {mig: all-1g.10gb}}",
        "nodes[0].gpu",
        "the class plain has no GPUs for the operator",
        "add gpu to node_classes.plain",
    ),
    ("cdi: true", "compute_domains: true", "compute_domains", "only claims know domains of NVLink", "allocation: dra"),
]

CLAIM_CASES = [
    (
        "ai:\n    gpu: {driver: operator}",
        "ai:\n    gpu: {sharing: {mode: time-slicing, replicas: {nvidia.com/gpu: 2}}}",
        "ai.gpu.sharing",
        "claims share a GPU by themselves",
        "device-plugin",
    ),
    ("ai:\n    gpu: {driver: operator}", "ai:\n    gpu: {mig: all-1g.10gb}", "ai.gpu.mig", "MIG manager is not", "out"),
    ("node_class: big}", "node_class: big, gpu: {mig: all-1g.10gb}}", "nodes[2].gpu.mig", "MIG manager is not", "out"),
    (
        "big:\n    gpu: {driver: operator}",
        "big:\n    gpu: {driver: preinstalled}",
        "big.gpu.driver",
        "that of ai is the operator's",
        "one of the two for all",
    ),
    ("allocation: dra", "allocation: dra\n  mig_strategy: mixed", "mig_strategy", "claims name MIG devices", "out"),
    (
        "allocation: dra",
        "allocation: dra\n  mig_layouts: {mine: [{profiles: {1g.10gb: 7}}]}",
        "mig_layouts",
        "the MIG manager is not there under dra",
        "take it out",
    ),
    ("allocation: dra", "allocation: dra\n  pass_device_specs: false", "pass_device_specs", "no device plugin", "out"),
    ("allocation: dra", "allocation: dra\n  feature_discovery: true", "feature_discovery", "it is not there", "out"),
    ("allocation: dra", "allocation: dra\n  toolkit: {version: 1.20.0}", "toolkit", "the toolkit is not there", "out"),
    ("allocation: dra", "allocation: dra\n  cdi: false", "cdi", "claims give devices by CDI", "set it to true"),
    ("allocation: dra", "allocation: dra\n  version: 26.3.2", "allocation", "does not manage the DRA driver", "26.7.0"),
    ("'595.91.07'", "'570.211.01'", "driver.version", "claims for GPUs need driver 580 or later", "device-plugin"),
]


def test_the_sites_that_the_cases_spoil_are_good(tmp_path: Path) -> None:
    for text in (GOOD, CLAIMS):
        path = tmp_path / "site.yml"
        path.write_text(text, encoding="utf-8")
        assert load_site(path).name == "seoul-1"


def test_there_are_thirty_wrong_combinations_at_least() -> None:
    single = 10
    assert len(CASES) - single + len(CLAIM_CASES) >= 30


@pytest.mark.parametrize(("old", "new", "field", "message", "remedy"), CASES)
def test_a_wrong_gpu_names_place_and_remedy(  # noqa: PLR0913, PLR0917 - a row of the table
    tmp_path: Path, old: str, new: str, field: str, message: str, remedy: str
) -> None:
    _refused(tmp_path, GOOD, old, new, field, message, remedy)


@pytest.mark.parametrize(("old", "new", "field", "message", "remedy"), CLAIM_CASES)
def test_what_claims_cannot_have_names_place_and_remedy(  # noqa: PLR0913, PLR0917 - a row of the table
    tmp_path: Path, old: str, new: str, field: str, message: str, remedy: str
) -> None:
    _refused(tmp_path, CLAIMS, old, new, field, message, remedy)


def _refused(tmp_path: Path, text: str, old: str, new: str, field: str, message: str, remedy: str) -> None:  # noqa: PLR0913, PLR0917
    assert old in text
    path = tmp_path / "site.yml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        load_site(path)
    match = [one for one in caught.value.findings if one.path.endswith(field) and message in one.message]
    assert match, str(caught.value)
    assert remedy in match[0].remedy
    assert match[0].place.startswith(f"{path}:")


def _places(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from _places(value, (*path, key))


@pytest.mark.parametrize("wrong", ["no such thing!", -1, 1.5, True, [], {}, [{}], None])
def test_every_wrong_value_has_a_place_and_a_remedy(tmp_path: Path, wrong: Any) -> None:
    """Put a wrong value at every place of what is said of GPUs, one at a time."""
    layouts = "mig_layouts: {mine: [{devices: [0], profiles: {1g.10gb: 7}}, {devices: [1]}]}"
    text = GOOD.replace("mig_strategy: mixed", f"mig_strategy: mixed\n  {layouts}").replace("all-1g.10gb", "mine")
    good = yaml.safe_load(text.replace("all-2g.20gb", "mine"))
    path = tmp_path / "site.yml"
    for where in _places(good):
        if not {"gpu", "gpu_operator"} & set(where):
            continue
        data = copy.deepcopy(good)
        part = data
        for key in where[:-1]:
            part = part[key]
        part[where[-1]] = wrong
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        try:
            load_site(path)
        except DocumentError as error:
            for finding in error.findings:
                assert finding.remedy, f"{where}: {finding}"
                assert finding.place.rpartition(":")[2].isdigit()
                for phrase in ("Input should", "should match", "should have", "Input is", "Tuple", "instance of"):
                    assert phrase not in str(finding), f"{where}: {finding}"


def test_an_operator_without_gpus_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    text = "name: a\ngpu_operator: {}\nnodes: [{name: m1, address: 192.168.40.11, roles: [control_plane, worker]}]\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError, match="no node class has GPUs"):
        load_site(path)


def test_the_daemon_of_mps_waits_for_feature_discovery(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    shared = PLAIN.replace("gpu: {}", "gpu: {sharing: {mode: mps, replicas: {nvidia.com/gpu: 2}}}")
    path.write_text(shared, encoding="utf-8")
    assert load_site(path)
    path.write_text(shared.replace("{toolkit:", "{feature_discovery: false, toolkit:"), encoding="utf-8")
    with pytest.raises(DocumentError, match="the daemon of MPS, which the class default needs"):
        load_site(path)


@pytest.mark.parametrize("layout", ["all-balanced", "mixed-sizes", "some-whole"])
def test_one_name_is_for_devices_of_one_size(tmp_path: Path, layout: str) -> None:
    own = """  mig_layouts:
    mixed-sizes: [{profiles: {1g.10gb: 4, 3g.40gb: 1}}]
    some-whole: [{devices: [0], profiles: {1g.10gb: 7}}, {devices: [1]}]
"""
    text = GOOD.replace("  mig_strategy: mixed\n", "" if layout == "all-balanced" else own).replace(
        "mig: all-1g.10gb", f"mig: {layout}"
    )
    path = tmp_path / "site.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError, match=f"{layout} has devices of several sizes"):
        load_site(path)


def test_labels_of_ones_own_operator_are_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    path.write_text(
        "name: a\nnode_classes: {default: {labels: {nvidia.com/mig.config: all-1g.10gb}}}\n"
        "nodes: [{name: m1, address: 192.168.40.11, roles: [control_plane, worker]}]\n",
        encoding="utf-8",
    )
    assert load_site(path)


PLAIN = """\
name: seoul-1
gpu_operator: {toolkit: {nri: true}}
node_classes: {default: {gpu: {}}}
nodes: [{name: m1, address: 192.168.40.11, roles: [control_plane, worker]}]
"""


def _versions(text: str, containerd: str) -> list[Problem]:
    site = validate(parse_yaml(text, "site.yml"), Site, check_site)
    return list(check_gpu_versions(site, load_gpu_versions(), containerd))


@pytest.mark.parametrize(
    ("containerd", "nri", "message"),
    [
        ("2.3.4", True, ""),
        ("2.4.0", True, ""),
        ("2.2.7", False, ""),
        ("1.7.30", True, ""),
        ("1.7.29", True, "needs containerd 1.7.30, 2.1.0, 2.2.0 or later of these lines, and nodes get 1.7.29"),
        ("2.0.5", True, "nodes get 2.0.5"),
        ("2.0.5", False, ""),
        ("2.0.3", False, "NVIDIA/gpu-operator issue 1374"),
        ("2.3.0", False, "does not start any more"),
        ("2.30.0", False, ""),
    ],
)
def test_containerd_is_held_against_the_table(containerd: str, nri: bool, message: str) -> None:
    found = _versions(PLAIN.replace("true", str(nri).lower()), containerd)
    assert [message in problem.message for problem in found] == ([True] if message else [])


def test_claims_need_a_patch_version_of_kubernetes() -> None:
    text = PLAIN.replace("{toolkit: {nri: true}}", "{allocation: dra}")
    old = f"kubernetes: {{version: 1.34.1}}\n{text}"
    assert ["need Kubernetes 1.34.2" in problem.message for problem in _versions(old, "2.3.4")] == [True]
    assert _versions(old.replace("1.34.1", "1.34.2"), "2.3.4") == []
    # Without a toolkit nobody changes containerd's configuration.
    assert _versions(text, "2.3.4") == []


def test_a_preinstalled_driver_that_is_not_told_is_not_judged() -> None:
    text = PLAIN.replace("{toolkit: {nri: true}}", "{allocation: dra}").replace(
        "gpu: {}", "gpu: {driver: preinstalled}"
    )
    assert _versions(text, "2.3.4") == []


def test_every_row_of_the_table_names_its_source() -> None:
    versions = load_gpu_versions()
    assert all(row.sources for row in versions.operators)
    assert all(row.source for row in (*versions.known_bad, *versions.remarks, *versions.needs))
    assert len({row.version for row in versions.operators}) == len(versions.operators)
