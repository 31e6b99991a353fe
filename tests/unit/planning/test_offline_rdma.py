"""Plans from the record know RDMA: modules, labels, artifacts, and the objects of device plugins. Pure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.models.changes import Change
from gedge_provision.models.selection import Selection
from gedge_provision.models.site import Role, Site
from gedge_provision.models.site_records import HostRecord, SiteRecord
from gedge_provision.planning.artifacts import select
from gedge_provision.planning.features import site_features
from gedge_provision.planning.inventory import Inventory, compile_inventory
from gedge_provision.planning.offline import recorded_changes
from gedge_provision.planning.offline_rdma import MODULES, SOFT_OBJECTS, shared_objects

ROLES = Path(__file__).parents[3] / "roles"
RESOURCE = "nvidia.com/cx6_rdma"
PLAIN = {"name": "data", "type": "macvlan", "master": "eth1", "node_classes": ["ai"], "ipam": {"type": "none"}}
SOFT = PLAIN | {"rdma": "soft"}
DATA = {"name": "data", "nics": {"vendor": "15b3"}, "vfs": 4, "resource": RESOURCE}
FAST = {"name": "fast", "type": "sriov", "resource": RESOURCE, "ipam": {"type": "none"}}
SHARED = {"resource": "rdma/hca_a", "nics": {"vendor": "15b3"}}
SHARED_PLUGIN = "kube-system/rdma-shared-device-plugin"
LABEL = "label w1 gedge.dev/soft-rdma"
BOTH = ("create", "remove")


def site(*attachments: dict[str, Any], sriov: tuple[dict[str, Any], ...] = (), **classes: Any) -> Site:
    """Return a site with a control plane and w1 of class ai; keywords give the shared devices of each class."""
    found: dict[str, dict[str, Any]] = {"default": {}, "ai": {"sriov": list(sriov)}}
    for name, shared in classes.items():
        found.setdefault(name, {})["shared_rdma"] = shared
    return Site.model_validate(
        {
            "name": "edge",
            "networks": {"attachments": list(attachments), "multus": True},
            "node_classes": found,
            "nodes": [
                {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"]},
                {"name": "w1", "address": "192.0.2.2", "node_class": "ai"},
            ],
        }
    )


def compiled(described: Site, **images: str) -> Inventory:
    """Return the inventory with the artifacts of the catalog, whose digests do not matter here."""
    catalog = load_catalog()
    kinds = {artifact.name: artifact for artifact in catalog.artifacts}
    items = [
        {
            "name": name,
            "kind": kinds[name].kind,
            "sha256": "0" * 64,
            "target": "" if kinds[name].kind == "image" else f"/opt/cni/bin/{name}",
        }
        for name in select(catalog, {"all"}, site_features(described))
    ]
    artifacts: dict[Role, list[dict[str, Any]]] = {"control_plane": items, "worker": items}
    return compile_inventory(described, artifacts, "/k", images=images)


def planned(
    before: Site, now: Site, *made: Change, concerns: tuple[str, ...] = (), **images: str
) -> dict[str, list[str]]:
    record = SiteRecord(
        hosts={
            "m1": HostRecord(
                connection={}, control_plane=True, node_class="default", made=(Change("node", "m1", "init"),)
            ),
            "w1": HostRecord(
                connection={}, control_plane=False, node_class="ai", made=(Change("node", "w1", "join"), *made)
            ),
        },
        site=before,
    )
    changes = recorded_changes(record, now, compiled(before), compiled(now, **images), Selection(concerns=concerns))
    return {host: [str(change) for change in found] for host, found in changes.items()}


def modules(action: str, *names: str) -> list[str]:
    return [
        *(f"{action} kernel_module {name}" for name in names or MODULES),
        "change file /etc/modules-load.d/gedge.conf",
    ]


def test_software_rdma_comes_with_modules_plugins_and_a_label() -> None:
    found = planned(site(PLAIN), site(SOFT))
    artifacts = ["create cni_plugin soft-rdma", "create image soft-rdma-device-plugin"]
    assert found["w1"] == [*modules("load"), *artifacts]  # the master's node alone loads them
    assert found["m1"] == [
        *artifacts,
        *(f"create {name}" for name in SOFT_OBJECTS),
        "change NetworkAttachmentDefinition default/data",
        f"create {LABEL}=true",
    ]


def test_software_rdma_takes_with_it_what_it_brought() -> None:
    loaded = [Change("kernel_module", name, "load") for name in ("br_netfilter", "ib_uverbs", "rdma_rxe")]
    found = planned(site(SOFT), site(PLAIN), *loaded)
    artifacts = ["remove cni_plugin soft-rdma", "remove image soft-rdma-device-plugin"]
    # rdma_ucm was there before us.
    assert found["w1"] == [*modules("unload", "ib_uverbs", "rdma_rxe"), *artifacts]
    assert found["m1"] == [
        *artifacts,
        "change NetworkAttachmentDefinition default/data",
        *(f"remove {name}" for name in SOFT_OBJECTS),
        f"remove {LABEL}",
    ]


def test_modules_that_stayed_are_not_loaded_again() -> None:
    stayed = [Change("kernel_module", name, "load") for name in MODULES]
    found = planned(site(PLAIN), site(SOFT), *stayed, concerns=("host",))
    assert found == {"w1": ["change file /etc/modules-load.d/gedge.conf"]}


def test_the_same_software_rdma_changes_nothing_and_another_image_its_daemon() -> None:
    assert planned(site(SOFT), site(SOFT)) == {}
    found = planned(site(SOFT), site(SOFT), **{"soft-rdma-device-plugin": "s:2"})
    assert found == {"m1": ["change DaemonSet kube-system/soft-rdma-device-plugin"]}


@pytest.mark.parametrize("action", BOTH)
def test_devices_of_single_pods_bring_a_cni_plugin_alone(action: str) -> None:
    sites = [site(one, sriov=(DATA | {"rdma": True},)) for one in (FAST, FAST | {"rdma": "exclusive"})]
    before, now = sites if action == "create" else sites[::-1]
    artifacts = [f"{action} cni_plugin rdma", f"{action} image rdma-shared-device-plugin"]
    found = planned(before, now)
    assert found == {"w1": artifacts, "m1": [*artifacts, "change NetworkAttachmentDefinition default/fast"]}


def test_functions_with_rdma_are_offered_anew() -> None:
    found = planned(site(FAST, sriov=(DATA,)), site(FAST, sriov=(DATA | {"rdma": True},)))
    assert found == {"w1": ["change file /etc/pcidp/config.json"]}


@pytest.mark.parametrize("action", BOTH)
def test_shared_devices_come_and_go_with_their_plugin(action: str) -> None:
    sites = site(), site(ai=[SHARED])
    found = planned(*(sites if action == "create" else sites[::-1]), concerns=("attachments",))
    assert found == {"m1": [f"{action} {name}" for name in shared_objects(["ai"])]}


def test_a_class_more_or_less_changes_its_objects_alone() -> None:
    def both(*shared: dict[str, Any]) -> Site:
        return site(ai=[SHARED], default=list(shared))

    objects = [f"{kind} {SHARED_PLUGIN}-default" for kind in ("ConfigMap", "DaemonSet")]
    assert planned(both(), both(SHARED)) == {"m1": [f"create {name}" for name in objects]}
    assert planned(both(SHARED), both()) == {"m1": [f"remove {name}" for name in objects]}


def test_another_configuration_of_shared_devices_starts_the_plugin_anew() -> None:
    changed = [f"change {kind} {SHARED_PLUGIN}-ai" for kind in ("ConfigMap", "DaemonSet")]
    assert planned(site(ai=[SHARED]), site(ai=[SHARED | {"pods": 7}])) == {"m1": changed}
    images = {"rdma-shared-device-plugin": "r:2"}
    assert planned(site(ai=[SHARED]), site(ai=[SHARED]), **images) == {"m1": changed[1:]}


def test_devices_that_an_operator_offers_change_nothing() -> None:
    assert planned(site(), site(ai=[SHARED | {"owner": "operator"}])) == {}


def test_the_modules_are_those_of_the_role() -> None:
    variables = yaml.safe_load((ROLES / "host_prepare" / "vars" / "main.yml").read_text(encoding="utf-8"))
    assert tuple(sorted(variables["__host_prepare_soft_rdma_modules"])) == MODULES


@pytest.mark.parametrize(
    ("role", "objects"),
    [("soft_rdma_device_plugin", SOFT_OBJECTS), ("rdma_shared_device_plugin", shared_objects(["{{ class.name }}"]))],
)
def test_the_objects_are_those_of_the_roles(role: str, objects: list[str]) -> None:
    text = (ROLES / role / "templates" / "plugin.yml.j2").read_text(encoding="utf-8")
    found = re.findall(r"^kind: (\w+)\nmetadata:\n  name: (.+)\n  namespace: (.+)$", text, re.MULTILINE)
    assert sorted(f"{kind} {space}/{name}" for kind, name, space in found) == sorted(objects)
