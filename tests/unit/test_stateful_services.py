"""Services with state of their own, against a server that keeps objects as an API server does: paths, lists, labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kube_server import KINDS, NODE, Objects, serving

from gedge_provision.adapters.kube import Kube
from gedge_provision.models.progress import SilentReporter
from gedge_provision.services import apply_service, delete_service, list_services, load_service, read_status

FIXTURES = Path(__file__).parents[1] / "fixtures" / "services"


class Notes(SilentReporter):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def kinds() -> frozenset[str]:
    return KINDS


@pytest.fixture
def objects() -> Objects:
    return {"/api/v1/nodes/gedgew01": NODE}


@pytest.fixture
def kube(objects: Objects, kinds: frozenset[str], tmp_path: Path) -> Iterator[Kube]:
    with serving(objects, tmp_path, kinds) as opened:
        yield opened


def stateful(folder: Path, *, state: bool = True) -> Path:
    """Return a document with state of each pod's own, or the same without it."""
    volume: dict[str, Any] = {"name": "tape", "claimTemplate": {"size": "5Gi"}} if state else {"name": "tape"}
    container = {"image": "a:1", "volumeMounts": [{"name": "tape", "mountPath": "/tape"}]}
    service = {"name": "recorder", "volumes": [volume if state else {**volume, "emptyDir": {}}]}
    path = folder / "recorder.yaml"
    path.write_text(yaml.safe_dump({"service": {**service, "containers": [container]}}), encoding="utf-8")
    return path


@pytest.mark.parametrize("kinds", [KINDS, KINDS - {"resourceclaimtemplates"}], ids=["of today", "before 1.34"])
def test_a_stateful_service_is_applied_listed_and_deleted(kube: Kube, objects: Objects, tmp_path: Path) -> None:
    service = load_service(stateful(tmp_path))
    applied = apply_service(kube, service, timeout_s=5)
    assert [(change.kind, change.name, change.action) for change in applied.changes] == [
        ("StatefulSet", "recorder", "created"),
        ("Service", "recorder-headless", "created"),
    ]
    assert not apply_service(kube, service, timeout_s=5).changed
    assert [(line.name, line.ready, line.detail) for line in list_services(kube, "default")] == [
        ("recorder", True, "1/1 ready")
    ]
    assert read_status(kube, "default", "recorder").ready
    claim = "/api/v1/namespaces/default/persistentvolumeclaims/tape-recorder-0"
    objects[claim] = {"metadata": {"name": "tape-recorder-0", "labels": {"gedge.dev/service": "recorder"}}}
    notes = Notes()
    assert delete_service(kube, "recorder", reporter=notes, timeout_s=5)
    assert list(objects) == ["/api/v1/nodes/gedgew01", claim]
    assert ["tape-recorder-0" in text and "delete pvc" in text for text in notes.texts] == [True]


def test_a_service_that_loses_its_state_becomes_a_deployment(kube: Kube, objects: Objects, tmp_path: Path) -> None:
    apply_service(kube, load_service(stateful(tmp_path)), timeout_s=5)
    planned = apply_service(kube, load_service(stateful(tmp_path, state=False)), dry_run=True)
    assert [(change.kind, change.name, change.action) for change in planned.changes] == [
        ("Deployment", "recorder", "created"),
        ("StatefulSet", "recorder", "deleted"),
        ("Service", "recorder-headless", "deleted"),
    ]
    assert "/apis/apps/v1/namespaces/default/statefulsets/recorder" in objects


def test_the_controller_that_stays_is_looked_at(kube: Kube, objects: Objects, tmp_path: Path) -> None:
    apply_service(kube, load_service(stateful(tmp_path)), timeout_s=5)
    labels = {"app.kubernetes.io/managed-by": "gedge", "gedge.dev/service": "recorder"}
    going = {"name": "recorder", "namespace": "default", "labels": labels, "deletionTimestamp": "2026-11-23T00:00:00Z"}
    path = "/apis/apps/v1/namespaces/default/deployments/recorder"
    objects[path] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": going, "spec": {"replicas": 1}}
    assert read_status(kube, "default", "recorder").ready
    del objects["/apis/apps/v1/namespaces/default/statefulsets/recorder"]
    assert not read_status(kube, "default", "recorder").ready
