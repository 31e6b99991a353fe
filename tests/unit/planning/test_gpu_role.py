"""What the role gpu_operator is told of a site, which node gets helm, and what a plan announces."""

from __future__ import annotations

from typing import Any

import pytest

from gedge_provision.adapters.gpu_versions import load_gpu_versions
from gedge_provision.models.site import Role, Site
from gedge_provision.planning.features import site_features
from gedge_provision.planning.gpu import plan_gpus, role_variables
from gedge_provision.planning.inventory import Inventory, compile_inventory
from gedge_provision.planning.offline_gpu_operator import operator_changes

NODES = [
    {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"]},
    {"name": "m2", "address": "192.0.2.2", "roles": ["control_plane"]},
    {"name": "w1", "address": "192.0.2.3", "node_class": "ai"},
]
SERVER = {"chart_server": "http://192.0.2.9:8879"}


def site(gpu: dict[str, Any] | None = None, operator: dict[str, Any] | None = None) -> Site:
    more = {"gpu_operator": operator} if operator else {}
    classes = {"default": {}, "ai": {} if gpu is None else {"gpu": gpu}}
    return Site.model_validate({"name": "edge", "node_classes": classes, "nodes": NODES, **more})


def compiled(described: Site) -> Inventory:
    item = {"sha256": "1", "kind": "binary", "target": "/t"}
    artifacts: dict[Role, list[dict[str, Any]]] = {
        "control_plane": [{"name": name, **item} for name in ("helm", "kubelet")],
        "worker": [{"name": "kubelet", **item}],
    }
    found = "gpu" in site_features(described)
    gpu = role_variables(described, plan_gpus(described, load_gpu_versions(), "2.3.4")) if found else None
    return compile_inventory(described, artifacts, "/k", gpu=gpu, first_only=["helm"])


@pytest.mark.parametrize(
    ("described", "features"),
    [
        (site(), set()),
        (site({"driver": "none"}), set()),
        (site({}), {"gpu", "gpu_chart"}),
        (site({}, SERVER), {"gpu"}),
    ],
)
def test_a_site_with_gpus_takes_helm_and_the_chart_unless_a_server_has_it(described: Site, features: set[str]) -> None:
    assert site_features(described) == features


def test_the_role_is_told_what_gpu_values_prints() -> None:
    described = site({"driver": "preinstalled"}, SERVER)
    told = compiled(described).variables
    assert told["gpu_operator_values"] == plan_gpus(described, load_gpu_versions(), "2.3.4").values
    assert told["gpu_operator_version"] == "26.7.0"
    assert told["gpu_operator_chart_server"] == SERVER["chart_server"]
    assert told["gpu_operator_resources"] is True
    assert "gpu_operator_values" not in compiled(site()).variables


def test_only_the_first_control_plane_node_gets_helm() -> None:
    found = compiled(site({})).host_variables
    names = {host: [item["name"] for item in one["artifacts_items"]] for host, one in found.items()}
    assert names == {"m1": ["helm", "kubelet"], "m2": ["kubelet"], "w1": ["kubelet"]}
    assert {host: one["gpu_operator_driver"] for host, one in found.items()} == {
        "m1": "none",
        "m2": "none",
        "w1": "operator",
    }


@pytest.mark.parametrize(
    ("before", "after", "announced"),
    [
        (site(), site(), []),
        (site(), site({}), ["create Release gpu-operator/gpu-operator"]),
        (site({}), site({}, SERVER), []),
        (site({}), site({"driver": "preinstalled"}), ["change Release gpu-operator/gpu-operator"]),
        (site({}), site({}, {"version": "26.3.2"}), ["change Release gpu-operator/gpu-operator"]),
        (site({}), site(), ["remove Release gpu-operator/gpu-operator"]),
    ],
)
def test_a_plan_announces_the_release(before: Site, after: Site, announced: list[str]) -> None:
    changes = operator_changes(compiled(before).variables, compiled(after).variables)
    assert [str(change) for change in changes] == announced


@pytest.mark.parametrize("url", ["ftp://x/y", "charts.example.org", "https://user:secret@charts.example.org"])
def test_a_chart_server_is_an_address_without_credentials(url: str) -> None:
    with pytest.raises(ValueError, match="is no address of a chart server"):
        site({}, {"chart_server": url})
