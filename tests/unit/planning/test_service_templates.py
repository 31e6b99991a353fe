from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from gedge_provision.models.documents import Path, parse_yaml, validate
from gedge_provision.models.errors import DocumentError
from gedge_provision.models.service import Service, ServiceFile
from gedge_provision.planning.service_templates import MergedSource, merge, template_wanted

TEMPLATE = """\
template:
  name: base
  service:
    replicas: 2
    labels: {example.org/team: vision, example.org/kind: hw}
    containers:
      - image: example.org/app:1
        env: [{name: A, value: "1"}, {name: B, value: "2"}]
        readinessProbe: {http: {path: /ready, port: 80}, periodSeconds: 5}
        ports: [{containerPort: 80}]
        resources:
          requests: {cpu: 200m, memory: 500Mi}
          acceleration: {toploygyAware: true, communication: {type: SRIOV, network: data}}
      - name: side
        image: example.org/side:1
        resources:
          limits: {cpu: 100m, memory: 64Mi}
"""


def merged(service: str, template: str = TEMPLATE) -> MergedSource:
    return merge(parse_yaml(template, "base.yaml"), parse_yaml(service, "app.yaml"))


def loaded(service: str) -> Service:
    return validate(merged(service), ServiceFile).service


def paths(data: Any, path: Path = ()) -> list[Path]:
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(found for key, value in children for found in paths(value, (*path, key)))]


def test_a_name_is_enough() -> None:
    source = parse_yaml("service: {name: one, template: base}", "app.yaml")
    assert template_wanted(source) == "base"
    service = loaded("service: {name: one, template: base}")
    assert (service.name, service.replicas, service.container_names()) == ("one", 2, ("one", "side"))


def test_mappings_are_merged_and_the_rest_is_replaced() -> None:
    service = loaded("""\
service:
  name: one
  template: base
  replicas: 1
  labels: {example.org/team: sound}
  containers:
    - env: [{name: C, value: "3"}]
      resources:
        requests: {cpu: 1}
""")
    main = service.containers[0]
    assert service.replicas == 1
    assert service.labels == {"example.org/team": "sound", "example.org/kind": "hw"}
    assert [variable.name for variable in main.env] == ["C"]
    assert {key: str(value) for key, value in main.resources.requests.by_resource().items()} == {
        "cpu": "1",
        "memory": "500Mi",
    }


def test_a_misspelled_key_of_the_template_is_overridden_by_the_right_one() -> None:
    service = loaded("""\
service:
  name: one
  template: base
  containers: [{resources: {acceleration: {topologyAware: false}}}]
""")
    assert service.containers[0].resources.acceleration.topology_aware is False


def test_what_excludes_another_key_is_replaced_as_a_whole() -> None:
    service = loaded("""\
service:
  name: one
  template: base
  containers:
    - readinessProbe: {tcp: 81}
      resources: {acceleration: {communication: {type: MACVLAN, network: cameras}}}
""")
    probe = service.containers[0].readiness_probe
    assert probe is not None
    assert (probe.tcp, probe.http, probe.period_seconds) == (81, None, None)
    assert [entry.network for entry in service.containers[0].resources.acceleration.communication] == ["cameras"]


def test_containers_are_found_by_name_then_by_place_and_new_ones_added() -> None:
    service = loaded("""\
service:
  name: one
  template: base
  containers:
    - {name: side, image: "example.org/side:2"}
    - {name: new, image: "example.org/new:1"}
""")
    images = [container.image for container in service.containers]
    assert images == ["example.org/app:1", "example.org/side:2", "example.org/new:1"]


def test_two_entries_for_one_container_are_refused() -> None:
    with pytest.raises(DocumentError) as caught:
        merged("""\
service:
  name: one
  template: base
  containers:
    - {}
    - {args: [a]}
    - {name: side, args: [b]}
""")
    (finding,) = caught.value.findings
    assert (finding.place, finding.path) == ("app.yaml:7", "service.containers[2]")
    assert "the same container of the template as containers[1]" in finding.message


def test_null_takes_something_out_that_may_be_missing() -> None:
    service = loaded("""\
service:
  name: one
  template: base
  containers: [{readinessProbe: null}]
""")
    assert service.containers[0].readiness_probe is None


def test_every_value_keeps_the_place_where_it_was_written() -> None:
    source = merged("""\
service:
  name: one
  template: base
  labels: {example.org/team: sound}
  containers:
    - env: [{name: C, value: "3"}]
    - name: side
      resources:
        limits: {cpu: 200m}
""")
    main: Path = ("service", "containers", 0)
    side: Path = ("service", "containers", 1)
    wanted = {
        ("service", "name"): "app.yaml:2",
        ("service", "replicas"): "base.yaml:4",
        ("service", "labels", "example.org/team"): "app.yaml:4",
        ("service", "labels", "example.org/kind"): "base.yaml:5",
        (*main, "image"): "base.yaml:7",
        (*main, "env", 0, "value"): "app.yaml:6",
        (*main, "env", 1, "value"): "app.yaml:6",  # the template's second variable is gone: the nearest parent
        (*main, "resources", "acceleration", "topologyAware"): "base.yaml:13",
        side: "app.yaml:7",
        (*side, "image"): "base.yaml:15",
        (*side, "resources", "limits", "cpu"): "app.yaml:9",
        (*side, "resources", "limits", "memory"): "base.yaml:17",
    }
    assert {path: source.place(path) for path in wanted} == wanted


LABELS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["x", "y"]))
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"image": st.sampled_from(["a:1", "b:1"])},
        optional={
            "name": st.sampled_from(["one", "two", "three"]),
            "command": st.lists(st.sampled_from(["run", "stop"]), max_size=2),
            "resources": st.fixed_dictionaries({}, optional={"requests": st.just({"cpu": 1}), "limits": st.just({})}),
        },
    ),
    max_size=3,
    unique_by=lambda one: one.get("name", id(one)),
)
PARTS = st.fixed_dictionaries({"labels": LABELS, "containers": CONTAINERS}, optional={"replicas": st.integers(1, 9)})


@given(PARTS, PARTS)
def test_each_value_is_of_one_document_and_at_its_place(base: dict[str, Any], over: dict[str, Any]) -> None:
    texts = {
        "base.yaml": yaml.safe_dump({"template": {"name": "base", "service": base}}),
        "app.yaml": yaml.safe_dump({"service": {"name": "app", "template": "base", **over}}),
    }
    named = [one["name"] for one in base["containers"] if "name" in one]
    assume(not any(one.get("name") in named for one in over["containers"]))  # refused where another has its place
    source = merged(texts["app.yaml"], texts["base.yaml"])
    assert set(source.places) == set(paths(source.data))
    for path in paths(source.data):
        file, line = source.place(path).split(":")
        assert 1 <= int(line) <= len(texts[file].splitlines())
    service = source.data["service"]
    assert service["labels"] == base["labels"] | over["labels"]
    assert "template" not in service
    images = [one["image"] for one in service["containers"]]
    assert set(images) <= {one["image"] for one in base["containers"] + over["containers"]}
    assert max(len(base["containers"]), len(over["containers"])) <= len(images)


@given(PARTS)
def test_a_service_that_says_nothing_is_its_template(base: dict[str, Any]) -> None:
    text = yaml.safe_dump({"template": {"name": "base", "service": base}})
    source = merged("service: {name: app, template: base}", text)
    assert source.data == {"service": {"name": "app", **base}}
