"""metrics-server: which sites have it, what is planned of it, and that the role applies just that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment

from gedge_provision.models.changes import Change
from gedge_provision.models.selection import Selection
from gedge_provision.models.site import Role, Site
from gedge_provision.models.site_records import HostRecord, SiteRecord
from gedge_provision.planning.features import METRICS_SERVER, site_features
from gedge_provision.planning.inventory import Inventory, compile_inventory
from gedge_provision.planning.offline import recorded_changes
from gedge_provision.planning.offline_metrics import OBJECTS

ROLE = Path(__file__).parents[3] / "roles" / "metrics_server"
DEFAULTS = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))


def site(*, metrics: bool) -> Site:
    node = {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"]}
    return Site.model_validate({"name": "edge", "kubernetes": {"metrics_server": metrics}, "nodes": [node]})


def compiled(described: Site, image: str) -> Inventory:
    artifacts: dict[Role, list[dict[str, Any]]] = {"control_plane": [], "worker": []}
    return compile_inventory(described, artifacts, "/k", images={"metrics-server": image})


def planned(before: Site, now: Site, image: str = "a:1") -> list[str]:
    record = SiteRecord(
        site=before,
        hosts={
            "m1": HostRecord(
                connection={}, node_class="default", control_plane=True, made=(Change("node", "m1", "join"),)
            )
        },
    )
    changes = recorded_changes(
        record, now, compiled(before, "a:1"), compiled(now, image), Selection(concerns=("metrics",))
    )
    return [f"{change.action} {change.kind} {change.name}" for change in changes.get("m1", [])]


def objects() -> list[dict[str, Any]]:
    text = (ROLE / "templates" / "metrics_server.yml.j2").read_text(encoding="utf-8")
    return list(yaml.safe_load_all(Environment(autoescape=False).from_string(text).render(DEFAULTS)))  # noqa: S701


def test_only_sites_that_ask_for_it_have_it() -> None:
    assert METRICS_SERVER in site_features(site(metrics=True))
    assert METRICS_SERVER not in site_features(
        Site.model_validate({**site(metrics=True).model_dump(), "kubernetes": {}})
    )


@pytest.mark.parametrize(("before", "now", "action"), [(False, True, "create"), (True, False, "remove")])
def test_its_objects_come_and_go_with_the_field(before: bool, now: bool, action: str) -> None:
    assert planned(site(metrics=before), site(metrics=now)) == [f"{action} {title}" for title in OBJECTS]


def test_another_image_changes_its_deployment_alone() -> None:
    same = site(metrics=True)
    assert planned(same, same) == []
    assert planned(same, same, "a:2") == ["change Deployment kube-system/metrics-server"]


def test_the_role_applies_what_is_planned_and_labels_all_of_it() -> None:
    found = []
    for item in objects():
        metadata = item["metadata"]
        found.append(f"{item['kind']} {'/'.join(filter(None, (metadata.get('namespace'), metadata['name'])))}")
        assert metadata["labels"]["gedge.dev/role"] == "metrics_server"
    assert sorted(found) == sorted(OBJECTS)


def test_it_runs_where_its_image_is() -> None:
    (pod,) = [item["spec"]["template"]["spec"] for item in objects() if item["kind"] == "Deployment"]
    assert "node-role.kubernetes.io/control-plane" in pod["nodeSelector"]
    assert [one["key"] for one in pod["tolerations"]] == ["node-role.kubernetes.io/control-plane"]
    assert pod["containers"][0]["image"] == DEFAULTS["metrics_server_image"]
    assert f"--metric-resolution={DEFAULTS['metrics_server_resolution_s']}s" in pod["containers"][0]["args"]
