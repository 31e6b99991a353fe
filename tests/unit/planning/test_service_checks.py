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


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("  name: app", "  nam: app", "app.yaml:2", "did you mean 'name'?"),
        ("service:", "services:", "app.yaml:1", "did you mean 'service'?"),
        ("  name: app", "  name: App", "app.yaml:2", "service.name"),
        ("  name: app", "  name: 1app", "app.yaml:2", "service.name"),
        ("  name: app", f"  name: {'a' * 41}", "app.yaml:2", "at most 40"),
        ("  name: app\n", "", "app.yaml:1", "add 'name'"),
        ("    - image: example.org/app:1\n      ports:", "    - ports:", "app.yaml:4", "add 'image'"),
        ("example.org/app:1", "''", "app.yaml:4", "containers[0].image"),
        ("containerPort: 8080", "containerPort: 0", "app.yaml:6", "use a number from 1"),
        ("containerPort: 8080", "containerPort: 70000", "app.yaml:6", "use a number up to 65535"),
        ("containerPort", "container_port", "app.yaml:6", "did you mean 'containerPort'?"),
        ("externalPort: 80", "externalPort: 22", "app.yaml:7", "belongs to SSH"),
        ("externalPort: 80", "externalPort: 6443", "app.yaml:7", "belongs to the API server"),
        ("externalPort: 80", "protocol: SCTP", "app.yaml:7", "use one of TCP, UDP"),
        (
            "externalPort: 80",
            "externalPort: 80\n        - containerPort: 8080",
            "app.yaml:8",
            "is taken by containers[0]",
        ),
        (
            "externalPort: 80",
            "externalPort: 80\n        - {containerPort: 81, externalPort: 80}",
            "app.yaml:8",
            "80/TCP is taken by containers[0].ports[0]",
        ),
        ("cpu: 200m", "cpu: -1", "app.yaml:9", "no Kubernetes quantity"),
        ("image: ", "image: not an ", "app.yaml:4", "write it like registry.example/app:1.0"),
        ("name: ", "name: My_", "app.yaml:2", "no name for a service"),
        ("cpu: 200m", "cpu: 0", "app.yaml:9", "cpu is 0"),
        ("cpu: 200m", "cpu: .nan", "app.yaml:9", "no Kubernetes quantity"),
        ("memory: 500Mi", "memory: 500m", "app.yaml:9", "fraction of a byte"),
        ("500Mi}", "500Mi}\n        limits: {cpu: 100m}", "app.yaml:9", "more than the limit 100m"),
        ("500Mi}", "500Mi}\n        acceleration: {compute: [{FPGA: 1}]}", "app.yaml:10", "known keys here: GPU"),
        ("500Mi}", "500Mi}\n        acceleration: {compute: [{GPU: 0}]}", "app.yaml:10", "use a number from 1"),
        ("500Mi}", "500Mi}\n        acceleration: {compute: [{GPU: 1}, {GPU: 2}]}", "app.yaml:10", "GPU stands twice"),
        ("500Mi}", "500Mi}\n        acceleration: {communication: ROCE}", "app.yaml:10", "use one of SRIOV, RDMA"),
        (
            "500Mi}",
            "500Mi}\n        acceleration: {topologyaware: true}",
            "app.yaml:10",
            "did you mean 'topologyAware'?",
        ),
        ("{cpu: 200m, memory: 500Mi}", "{cpu: 1}\n        acceleration: {topologyAware: true}", "app.yaml:9", "memory"),
        (
            "500Mi}",
            "500Mi}\n        limits: {cpu: 4}\n        acceleration: {topologyAware: true}",
            "app.yaml:10",
            "not the request 200m",
        ),
        (
            "      ports:",
            "      env: [{name: A, value: 1}]\n      ports:",
            "app.yaml:5",
            "write it in quotes",
        ),
        (
            "      ports:",
            "      env: [{name: A}, {name: A}]\n      ports:",
            "app.yaml:5",
            "A is set twice",
        ),
        ("  name: app", "  name: app\n  replicas: 0", "app.yaml:3", "use a number from 1"),
        ("  name: app", "  name: app\n  labels: {gedge.dev/service: x}", "app.yaml:3", "set by the platform"),
        ("  name: app", "  name: app\n  nodeSelector: {'a b': x}", "app.yaml:3", "is no label key"),
        (
            "    - image: example.org/app:1",
            "    - {image: a, name: app}\n    - name: app\n      image: b",
            "app.yaml:5",
            "is the name of containers[0] too",
        ),
        ("  containers:", "  containers: []\n  x:", "app.yaml:3", "name at least 1"),
        ("  name: app", "  name: app\n  name: app", "app.yaml:3", "this key stands twice"),
        ("  name: app", "  name: [app", "app.yaml:3", "not valid YAML"),
    ],
)
def test_wrong_documents_are_refused_with_place_and_remedy(old: str, new: str, place: str, said: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(DocumentError) as caught:
        load(text)
    finding = next((f for f in caught.value.findings if said in str(f)), None)
    assert finding is not None, str(caught.value)
    assert finding.place == place


def test_a_second_container_must_join_the_guarantee() -> None:
    text = GOOD.replace("500Mi}", "500Mi}\n        acceleration: {topologyAware: true}") + "    - image: side:1\n"
    with pytest.raises(DocumentError, match="topologyAware needs cpu for every container"):
        load(text)
