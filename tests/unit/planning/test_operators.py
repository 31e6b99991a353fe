"""Documents for operators hold to the operators' own schemas, and say what the site file says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from gedge_provision import cli
from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.models.documents import parse_yaml, validate
from gedge_provision.models.errors import DocumentError, UsageError
from gedge_provision.models.site import Site
from gedge_provision.planning.artifacts import select
from gedge_provision.planning.features import DEVICE_PLUGIN, site_features
from gedge_provision.planning.inventory import compile_inventory
from gedge_provision.planning.operators import operator_documents
from gedge_provision.planning.site_checks import check_site
from gedge_provision.planning.site_records import applied

FIXTURES = Path(__file__).parents[2] / "fixtures" / "operators"
INTEL = """\
name: seoul-1
rollout: {max_unavailable: 25%}
networks:
  attachments:
    - {name: fast, type: sriov, resource: intel.com/vf, vlan: 7, ipam: {type: static}}
node_classes:
  plain: {}
  ai:
    sriov:
      - name: data
        owner: operator
        nics: {vendor: '8086', device: '1592', interfaces: [ens1f0]}
        vfs: 4
        mtu: 9000
        resource: intel.com/vf
      - name: user
        owner: operator
        nics: {addresses: ['0000:41:00.0']}
        vfs: 2
        resource: intel.com/dpdk
        device_type: vfio-pci
nodes:
  - {name: m1, address: 192.168.40.11, roles: [control_plane], node_class: plain}
  - {name: w1, address: 192.168.40.21, node_class: ai}
"""
MELLANOX = INTEL.replace("'8086', device: '1592'", "'15b3', device: 101d").replace(
    "        vfs: 4\n", "        vfs: 4\n        rdma: true\n"
)
EXCLUSIVE = MELLANOX.replace("vlan: 7", "rdma: exclusive")
SHARED = "    shared_rdma: [{resource: rdma/hca, nics: {vendor: 15b3}, pods: 9, owner: operator}]\n"
SHARING = INTEL.replace("  plain: {}\n", f"  plain:\n{SHARED}")


def site(text: str) -> Site:
    return validate(parse_yaml(text, "site.yml"), Site, check_site)


def schema(kind: str) -> dict[str, Any]:
    for path in FIXTURES.glob("*.yaml"):
        found = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
        if found["names"]["kind"] == kind:
            return dict(_strict(found["versions"][0]["schema"]["openAPIV3Schema"]))
    raise AssertionError(kind)


def _strict(node: Any) -> Any:
    """Refuse fields that a schema does not have: the API server drops them without a word."""
    if isinstance(node, list):
        return [_strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _strict(value) for key, value in node.items()}
    if isinstance(made.get("properties"), dict) and "spec" not in made["properties"] and "type" in made:
        made.setdefault("additionalProperties", False)
    return made


@pytest.mark.parametrize("text", [INTEL, MELLANOX, EXCLUSIVE, SHARING])
def test_objects_hold_to_the_operators_schemas(text: str) -> None:
    objects = operator_documents(site(text))["sriov-policies.yml"]
    assert [item["kind"] for item in objects] == ["SriovNetworkNodePolicy"] * 2 + ["SriovNetworkPoolConfig"]
    for item in objects:
        jsonschema.validate(item, schema(item["kind"]))


def test_the_schemas_refuse_what_the_operator_does_not_know() -> None:
    (item, *_) = operator_documents(site(INTEL))["sriov-policies.yml"]
    for spoilt in ({"deviceType": "uio"}, {"numVfs": -1}, {"vlan": 7}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**item, "spec": item["spec"] | spoilt}, schema(item["kind"]))


def test_policies_say_what_the_site_file_says() -> None:
    data, user, pool = operator_documents(site(INTEL))["sriov-policies.yml"]
    assert data["metadata"] == {"name": "ai-data", "namespace": "sriov-network-operator"}
    assert data["spec"] == {
        "nodeSelector": {"gedge.dev/node-class": "ai"},
        "nicSelector": {"vendor": "8086", "deviceID": "1592", "pfNames": ["ens1f0"]},
        "numVfs": 4,
        "resourceName": "vf",
        "deviceType": "netdevice",
        "isRdma": False,
        "mtu": 9000,
    }
    assert user["spec"]["nicSelector"] == {"rootDevices": ["0000:41:00.0"]}
    assert user["spec"]["deviceType"] == "vfio-pci"
    assert pool["spec"]["maxUnavailable"] == "25%"
    assert "rdmaMode" not in pool["spec"]


def test_values_of_the_chart() -> None:
    (values,) = operator_documents(site(INTEL))["sriov-network-operator-values.yml"]
    assert values["operator"] == {"resourcePrefix": "intel.com"}
    selector = values["sriovOperatorConfig"]["configDaemonNodeSelector"]
    labels = compile_inventory(site(INTEL), {"control_plane": [], "worker": []}, "/k").variables["nodes_labels"]
    assert [name for name, has in labels.items() if selector.items() <= has.items()] == ["w1"]
    assert values["sriovOperatorConfig"]["disableDrain"] is False


def test_mellanox_cards_are_nvidias() -> None:
    found = operator_documents(site(EXCLUSIVE))
    assert list(found) == ["sriov-policies.yml", "network-operator-values.yml"]
    assert found["sriov-policies.yml"][0]["spec"]["isRdma"] is True
    assert found["sriov-policies.yml"][2]["spec"]["rdmaMode"] == "exclusive"
    assert found["sriov-policies.yml"][0]["metadata"]["namespace"] == "nvidia-network-operator"
    (values,) = found["network-operator-values.yml"]
    assert values["sriovNetworkOperator"] == {"enabled": True}
    assert values["sriov-network-operator"]["operator"] == {"resourcePrefix": "intel.com"}


def test_shared_devices_go_into_the_nic_cluster_policy() -> None:
    found = operator_documents(site(SHARING))
    (policy,) = found["nic-cluster-policy.yml"]
    (entry,) = json.loads(policy["spec"]["rdmaSharedDevicePlugin"]["config"])["configList"]
    assert entry == {
        "resourcePrefix": "rdma",
        "resourceName": "hca",
        "rdmaHcaMax": 9,
        "selectors": {"vendors": ["15b3"]},
    }
    terms = policy["spec"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["values"] == ["plain"]


def test_classes_that_share_the_same_devices_are_one_entry() -> None:
    both = SHARING.replace("  ai:\n", f"  ai:\n{SHARED}")
    (policy,) = operator_documents(site(both))["nic-cluster-policy.yml"]
    assert len(json.loads(policy["spec"]["rdmaSharedDevicePlugin"]["config"])["configList"]) == 1
    terms = policy["spec"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["values"] == ["ai", "plain"]
    other = SHARING.replace("  ai:\n", f"  ai:\n{SHARED.replace('pods: 9', 'pods: 10')}")
    with pytest.raises(DocumentError, match="rdma/hca means other devices, or another number of pods, in class plain"):
        site(other)
    assert site(other.replace("owner: operator}", "owner: host}"))  # ours has a configuration for each class


@pytest.mark.parametrize("text", [EXCLUSIVE, SHARING])
def test_what_an_operator_owns_is_not_ours(text: str) -> None:
    described = site(text)
    assert site_features(described) == {"multus", "perf"}
    inventory = compile_inventory(described, {"control_plane": [], "worker": []}, "/k")
    assert inventory.variables["rdma_shared_device_plugin_classes"] == []
    assert inventory.variables["sriov_device_plugin_sources"] == []
    for host in ("m1", "w1"):
        assert inventory.host_variables[host]["sriov_policies"] == []
        assert inventory.host_variables[host]["host_prepare_rdma"] == {"soft": [], "exclusive": [], "shared": []}
    assert [item["metadata"]["name"] for item in inventory.variables["attachments_manifests"]] == ["fast"]


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ("        resource: intel.com/dpdk\n", "", "sriov[1]", "the operator needs a resource"),
        (
            "intel.com/dpdk",
            "edge.dev/dpdk",
            "sriov[1].resource",
            "one prefix for all resources, and data uses intel.com",
        ),
        ("vfs: 4", "vfs: 4\n        vlan: 7", "sriov[0].vlan", "does not set vlan in a policy"),
        ("interfaces: [ens1f0]", "driver: ice", "nics.driver", "does not select cards by driver"),
    ],
)
def test_what_an_operator_cannot_be_told_is_refused(old: str, new: str, field: str, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        site(INTEL.replace(old, new))
    assert [one for one in caught.value.findings if one.path.endswith(field) and message in one.message]


def test_one_operator_discovers_the_features_of_nodes() -> None:
    values = operator_documents(site(MELLANOX))["network-operator-values.yml"][0]
    assert "nfd" not in values
    with_gpus = MELLANOX.replace("  ai:\n", "  ai:\n    gpu: {}\n")
    assert operator_documents(site(with_gpus))["network-operator-values.yml"][0] == values | {"nfd": {"enabled": False}}


def test_a_site_without_operators_has_no_documents() -> None:
    with pytest.raises(UsageError, match="no card of this site belongs to an operator"):
        operator_documents(site(INTEL.replace("        owner: operator\n", "")))


MIXED = INTEL.replace(
    "nodes:",
    """\
  own:
    sriov:
      - {name: mine, nics: {driver: ice}, vfs: 2, resource: intel.com/own}
nodes:
  - {name: w2, address: 192.168.40.22, node_class: own}""",
)


def test_owners_of_different_nodes_share_no_file_and_no_node() -> None:
    described = site(MIXED)
    catalog = load_catalog()
    items = [{"name": name, "sha256": "0"} for name in select(catalog, {"all"}, site_features(described) | {"rdma"})]
    inventory = compile_inventory(described, {"control_plane": items, "worker": items}, "/k")
    plugins = {
        host: {item["name"] for item in variables["artifacts_items"]} & {"sriov", "rdma", "multus-shim", "macvlan"}
        for host, variables in inventory.host_variables.items()
    }
    both = {"multus-shim", "macvlan"}
    assert plugins == {"m1": both | {"sriov", "rdma"}, "w1": both, "w2": both | {"sriov", "rdma"}}
    assert applied(described, inventory, {}).artifacts["worker"].keys() == {item["name"] for item in items}
    labels = inventory.variables["nodes_labels"]
    documents = operator_documents(described)
    selectors = [documents["sriov-network-operator-values.yml"][0]["sriovOperatorConfig"]["configDaemonNodeSelector"]]
    selectors += [
        selector.get("matchLabels", selector)
        for item in documents["sriov-policies.yml"]
        for selector in [item["spec"]["nodeSelector"]]
    ]
    for selector in selectors:
        assert [name for name, has in labels.items() if selector.items() <= has.items()] == ["w1"]
    ours = [name for name, has in labels.items() if DEVICE_PLUGIN in has]
    assert ours == ["w2"]


def test_the_command_writes_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.yml"
    path.write_text(INTEL, encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["gedge", "operators", str(tmp_path / "out"), "--site", str(path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    names = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert names == ["sriov-policies.yml", "sriov-network-operator-values.yml"]
    written = list(yaml.safe_load_all((tmp_path / "out" / names[0]).read_text(encoding="utf-8")))
    assert written == operator_documents(site(INTEL))["sriov-policies.yml"]
    monkeypatch.setattr("sys.argv", ["gedge", "operators", str(path), "--site", str(path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert f"{path}: this is a file\n-> name another folder" in capsys.readouterr().err
