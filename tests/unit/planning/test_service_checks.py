from __future__ import annotations

from pathlib import Path

import pytest

from gedge_provision.models.documents import parse_yaml, validate
from gedge_provision.models.errors import DocumentError
from gedge_provision.models.service import Service, ServiceFile
from gedge_provision.planning.service_checks import check_service, misspelling_notes

EXAMPLES = Path(__file__).parents[3] / "examples" / "services"

GOOD = """\
service:
  name: app
  containers:
    - image: example.org/app:1
      ports:
        - containerPort: 8080
          externalPort: 80
      resources:
        requests: {cpu: 200m, memory: 500Mi}
"""


def load(text: str) -> Service:
    return validate(parse_yaml(text, "app.yaml"), ServiceFile, check_service).service


def test_the_sample_of_the_platform_is_accepted_as_it_is() -> None:
    source = parse_yaml((EXAMPLES / "service-app2.yaml").read_text(encoding="utf-8"), "service-app2.yaml")
    service = validate(source, ServiceFile, check_service).service
    acceleration = service.containers[0].resources.acceleration
    assert acceleration.topology_aware
    assert [entry.type for entry in acceleration.communication] == ["SRIOV"]
    assert [entry.gpu for entry in acceleration.compute] == [1]
    assert misspelling_notes(source) == ["service-app2.yaml:16: toploygyAware is read as topologyAware"]


def test_the_right_spelling_needs_no_notice() -> None:
    source = parse_yaml((EXAMPLES / "app2-pinned.yaml").read_text(encoding="utf-8"), "app2-pinned.yaml")
    assert validate(source, ServiceFile, check_service).service.containers[0].resources.acceleration.topology_aware
    assert misspelling_notes(source) == []


def test_json_is_accepted_too() -> None:
    assert load('{"service": {"name": "app", "containers": [{"image": "a:1"}]}}').name == "app"


def test_a_second_container_must_join_the_guarantee() -> None:
    text = GOOD.replace("500Mi}", "500Mi}\n        acceleration: {topologyAware: true}") + "    - image: side:1\n"
    with pytest.raises(DocumentError, match="topologyAware needs cpu for every container"):
        load(text)
