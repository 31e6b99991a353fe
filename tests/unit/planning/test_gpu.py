"""Values of the GPU operator's chart are those that were checked by hand, and are keys that the chart documents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from gedge_provision import cli
from gedge_provision.adapters.gpu_versions import load_gpu_versions
from gedge_provision.models.documents import parse_yaml, validate
from gedge_provision.models.errors import UsageError
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu import plan_gpus
from gedge_provision.planning.inventory import compile_inventory
from gedge_provision.planning.site_checks import check_site
from gedge_provision.provisioning.gpu import gpu_plan

FIXTURES = Path(__file__).parents[2] / "fixtures" / "gpu"
SITES = sorted(FIXTURES.glob("*.site.yml"))
GOOD = """\
name: seoul-1
node_classes:
  plain: {}
  ai: {gpu: {}}
nodes:
  - {name: m1, address: 192.168.40.11, roles: [control_plane], node_class: plain}
  - {name: w1, address: 192.168.40.21, node_class: ai}
"""


def site(text: str) -> Site:
    return validate(parse_yaml(text, "site.yml"), Site, check_site)


def values(text: str) -> Mapping[str, Any]:
    return plan_gpus(site(text), load_gpu_versions(), "2.3.4").values


def told(text: str, containerd: str = "2.2.7") -> str:
    return "\n".join(plan_gpus(site(text), load_gpu_versions(), containerd).remarks)


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    monkeypatch.setattr("sys.argv", ["gedge", "gpu", "values", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    return capsys.readouterr().out


def test_there_are_six_classes() -> None:
    assert [path.name.removesuffix(".site.yml") for path in SITES] == [
        "dra",
        "gpudirect-rdma",
        "mig-mixed",
        "operator",
        "preinstalled",
        "time-slicing",
    ]


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.name)
def test_the_command_prints_what_was_checked_by_hand(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = path.with_name(path.name.replace(".site.", ".values."))
    assert printed(monkeypatch, capsys, "--site", str(path)) == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.name)
def test_json_has_the_same_and_the_labels(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(printed(monkeypatch, capsys, "--site", str(path), "-o", "json"))
    golden = path.with_name(path.name.replace(".site.", ".values.")).read_text(encoding="utf-8")
    assert found["values"] == yaml.safe_load(golden)
    assert found["chart"]["name"] == "gpu-operator"
    for node, labels in found["labels"].items():
        for key, value in labels.items():
            assert f"# label of {node}: {key}={value}\n" in golden
    assert golden.count("# label of ") == sum(len(labels) for labels in found["labels"].values())
    assert any("containerd" in remark for remark in found["remarks"])


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.name)
def test_keys_are_documented_by_the_chart(path: Path) -> None:
    documented = set(_documented())
    for key in _leaves(gpu_plan(path).values):
        parts = key.split(".")
        above = {".".join([*parts[:count], "*"]) for count in range(1, len(parts) + 1)}
        assert key in documented or above & documented, key


def test_an_undocumented_key_would_be_seen() -> None:
    documented = set(_documented())
    assert "driver.rdma.enabled" in documented
    assert "driver.rdma.enable" not in documented
    assert "devicePlugin.config.map.*" not in documented


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.name)
def test_nodes_get_the_labels_by_apply(path: Path) -> None:
    wanted = gpu_plan(path).labels
    known = validate(parse_yaml(path.read_text(encoding="utf-8"), path.name), Site, check_site)
    labels = compile_inventory(known, {"control_plane": [], "worker": []}, "kubeconfig").variables["nodes_labels"]
    assert {
        name: {key: value for key, value in found.items() if key.startswith("nvidia.com/")}
        for name, found in labels.items()
    } == {node.name: dict(wanted.get(node.name, {})) for node in known.nodes}


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.name)
def test_labels_of_device_plugin_and_mig_name_configurations_that_are_there(path: Path) -> None:
    plan = gpu_plan(path)
    plugin = plan.values.get("devicePlugin", {}).get("config", {}).get("data", {})
    mig = plan.values.get("migManager", {}).get("config", {}).get("data", {})
    layouts = yaml.safe_load(mig["config.yaml"])["mig-configs"] if mig else None
    for labels in plan.labels.values():
        if "nvidia.com/device-plugin.config" in labels:
            assert labels["nvidia.com/device-plugin.config"] in plugin
        if "nvidia.com/mig.config" in labels and layouts is not None:
            assert labels["nvidia.com/mig.config"] in layouts


@pytest.mark.parametrize(
    ("change", "passed"),
    [
        ("gpu: {}", None),
        ("gpu: {}, cpus: {profile: pinned}, kubelet: {kube_reserved: {cpu: 500m, memory: 1Gi}}", "true"),
        ("gpu: {}, kubelet: {cpu_manager_policy: static, reserved_system_cpus: '0'}", "true"),
    ],
)
def test_static_cpus_have_the_device_plugin_name_device_files(change: str, passed: str | None) -> None:
    env = values(GOOD.replace("gpu: {}", change))["devicePlugin"].get("env")
    assert (env and env[0]) == (passed and {"name": "PASS_DEVICE_SPECS", "value": passed})


def test_without_static_cpus_the_site_decides() -> None:
    text = "gpu_operator: {pass_device_specs: false}\n" + GOOD
    assert values(text)["devicePlugin"]["env"] == [{"name": "PASS_DEVICE_SPECS", "value": "false"}]


def test_a_node_of_a_pinned_profile_is_enough() -> None:
    text = GOOD.replace("ai: {gpu: {}}", "ai: {gpu: {}, kubelet: {kube_reserved: {cpu: 500m, memory: 1Gi}}}").replace(
        "node_class: ai", "node_class: ai, cpus: {profile: pinned}"
    )
    assert values(text)["devicePlugin"]["env"][0]["value"] == "true"


def test_dma_buf_leaves_the_old_module_out() -> None:
    rdma = "shared_rdma: [{resource: rdma/hca, nics: {vendor: 15b3}}], gpu: {gpudirect_rdma: dma-buf}"
    assert values(GOOD.replace("gpu: {}", rdma))["driver"]["rdma"] == {"enabled": False, "useHostMofed": True}


def test_the_toolkit_can_have_a_version() -> None:
    text = "gpu_operator: {toolkit: {version: 1.20.0}}\n" + GOOD
    assert values(text)["toolkit"] == {"enabled": True, "version": "v1.20.0"}


def test_classes_that_no_node_has_do_not_count() -> None:
    text = GOOD.replace("plain: {}", "plain: {}\n  spare: {gpu: {sharing: {mode: mps, replicas: {nvidia.com/gpu: 2}}}}")
    assert "config" not in values(text)["devicePlugin"]


@pytest.mark.parametrize("change", ["ai: {}", "ai: {gpu: {driver: none}}"])
def test_a_site_without_gpus_has_no_values(change: str) -> None:
    with pytest.raises(UsageError, match="no node of this site has a GPU for the operator"):
        values(GOOD.replace("ai: {gpu: {}}", change))


def test_remarks_fit_the_site() -> None:
    assert "validated" not in told(GOOD)
    assert "NVIDIA has validated operator 26.7.0 with containerd 1.7 to 2.2; nodes get 2.3.4" in told(GOOD, "2.3.4")
    assert "NRI plugin" in told(GOOD)
    assert "NRI plugin" not in told("gpu_operator: {toolkit: {nri: false}}\n" + GOOD)
    assert "technology preview" not in told(GOOD)
    claims = "gpu_operator: {allocation: dra}\n" + GOOD
    assert "technology preview" in told(claims)
    assert "NRI plugin" not in told(claims)
    sharing = GOOD.replace("gpu: {}", "gpu: {sharing: {mode: time-slicing, replicas: {nvidia.com/gpu: 2}}}")
    assert "shared by time-slicing" in told(sharing)
    assert "shared by time-slicing" not in told("gpu_operator: {dcgm_exporter: false}\n" + sharing)
    peermem = GOOD.replace(
        "gpu: {}", "gpu: {gpudirect_rdma: nvidia-peermem}, shared_rdma: [{resource: rdma/a, nics: {vendor: 15b3}}]"
    )
    assert "FORCE_REINSTALL" not in told(peermem)
    assert "FORCE_REINSTALL" in told("gpu_operator: {version: 26.3.1}\n" + peermem)


def _documented() -> Iterator[str]:
    listed = yaml.safe_load((FIXTURES / "chart_values.yml").read_text(encoding="utf-8"))
    for section, keys in listed["keys"].items():
        for key in keys:
            yield from (f"{section}.{one}" for one in (listed["image"] if key == "image" else [key]))


def _leaves(node: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"
