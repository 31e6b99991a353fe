"""Wrong scaling of services: refused with file:line, field and remedy; and what takes a template's place."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from gedge_provision.models.errors import DocumentError, Finding
from gedge_provision.services import load_service

GOOD = """\
service:
  name: app
  scaling:
    min: 2
    max: 8
    metrics:
      - {cpu: 70%}
      - {memory: 500Mi}
      - {cpu: 900m, container: side}
    scaleDown: {stabilizationSeconds: 60}
  containers:
    - image: example.org/app:1
      resources:
        requests: {cpu: 200m, memory: 400Mi}
    - name: side
      image: example.org/side:1
      resources:
        limits: {cpu: 100m}
"""
METRICS = "service.scaling.metrics"
NETWORK = """\
        requests: {cpu: 200m, memory: 400Mi}
        acceleration:
          communication: [{type: MACVLAN, network: lan, address: 10.1.2.3/24}]"""

# What is written instead of what; then line, field, message, remedy (each a part of the text).
CASES = [
    ("scaling:", "scalling:", 3, "service.scalling", "unknown key", "did you mean 'scaling'?"),
    ("  scaling:", "  replicas: 3\n  scaling:", 3, "service.replicas", "both say how many", "leave one out"),
    ("min: 2", "min: 0", 4, "scaling.min", "0 is out of range", "from 1"),
    ("min: 2", "min: true", 4, "scaling.min", "must be a whole number, is true", "digits only"),
    ("max: 8", "max: 1", 5, "scaling.max", "max 1 is less than min 2", "the greater number as max"),
    ("    max: 8\n", "", 3, "scaling.max", "a required key is missing", "add 'max'"),
    ("max: 8", "max: 1001", 5, "scaling.max", "1001 is out of range", "up to 1000"),
    ("max: 8", "maximum: 8", 5, "scaling.maximum", "unknown key", "did you mean 'max'?"),
    ("{memory: 500Mi}", "{cpu: 1}", 8, f"{METRICS}[1].cpu", "cpu of the pod stands in metrics[0] too", "keep one"),
    ("{memory: 500Mi}", "{cpu: 50%, memory: 1Gi}", 8, f"{METRICS}[1]", "this one of cpu and memory", "write cpu: 70%"),
    ("{memory: 500Mi}", "{container: side}", 8, f"{METRICS}[1]", "this one of no resource", "write cpu: 70%"),
    ("{memory: 500Mi}", "{gpu: 70%}", 8, f"{METRICS}[1].gpu", "unknown key", "did you mean 'cpu'?"),
    ("cpu: 70%", "cpu: 0%", 7, f"{METRICS}[0].cpu", "'0%' is no part of the request", "like 70%"),
    ("cpu: 70%", "cpu: 70.5%", 7, f"{METRICS}[0].cpu", "is no part of the request", "whole percents"),
    ("cpu: 70%", "cpu: 0", 7, f"{METRICS}[0].cpu", "0 for each pod is never kept", "like 500m"),
    ("cpu: 70%", "cpu: 500Mi", 7, f"{METRICS}[0].cpu", "'500Mi' is no target", "an amount like 500m"),
    ("cpu: 70%", "cpu: much", 7, f"{METRICS}[0].cpu", "'much' is no target", "a part of the request like 70%"),
    ("memory: 500Mi}\n      - {cpu", "memory: 500m}\n      - {cpu", 8, f"{METRICS}[1].memory", "no target", "500Mi"),
    ("memory: 500Mi}\n      - {cpu", "memory: 80%}\n      - {cpu", 8, "[1].memory", "side requests no memory", "add"),
    ("container: side", "container: sid", 9, f"{METRICS}[2].container", "no container has the name sid", "app, side"),
    ("requests: {cpu: 200m, memory", "requests: {memory", 7, f"{METRICS}[0].cpu", "app requests no cpu", "like 200m"),
    ("Seconds: 60", "Seconds: -1", 10, "scaleDown.stabilizationSeconds", "-1 is out of range", "from 0"),
    ("stabilizationSeconds", "seconds", 10, "scaleDown.seconds", "unknown key", "stabilizationSeconds"),
    (
        "        requests: {cpu: 200m, memory: 400Mi}",
        NETWORK,
        16,
        "communication[0].address",
        "scaling makes more pods",
        "take replicas: 1",
    ),
]


def document(folder: Path, text: str, name: str = "app") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def findings_of(path: Path) -> tuple[Finding, ...]:
    with pytest.raises(DocumentError) as caught:
        load_service(path)
    return caught.value.findings


def test_the_document_that_the_cases_spoil_is_good(tmp_path: Path) -> None:
    service = load_service(document(tmp_path, GOOD))
    assert service.scaling is not None
    assert service.least_replicas == 2


@pytest.mark.parametrize(("old", "new", "line", "field", "message", "remedy"), CASES)
def test_wrong_scaling_names_place_and_remedy(  # noqa: PLR0913, PLR0917 - a row of the table
    tmp_path: Path, old: str, new: str, line: int, field: str, message: str, remedy: str
) -> None:
    assert old in GOOD
    path = document(tmp_path, GOOD.replace(old, new, 1))
    found = findings_of(path)
    match = [one for one in found if one.place == f"{path}:{line}" and one.path.endswith(field)]
    assert [one for one in match if message in one.message and remedy in one.remedy], "\n".join(map(str, found))


TEMPLATE = """\
template:
  name: base
  service:
    {how}
    containers:
      - image: example.org/app:1
        resources:
          requests: {{cpu: 200m}}
"""
OF_TEMPLATE = "scaling: {min: 2, max: 4, metrics: [{cpu: 50%}], scaleDown: {stabilizationSeconds: 5}}"


@pytest.mark.parametrize(
    ("template", "service", "bounds", "replicas"),
    [
        (OF_TEMPLATE, "labels: {}", (2, 4, 5), 1),
        (OF_TEMPLATE, "scaling: {max: 9, metrics: [{cpu: 80%}]}", (1, 9, 300), 1),
        (OF_TEMPLATE, "replicas: 3", None, 3),
        ("replicas: 3", "scaling: {max: 9, metrics: [{cpu: 80%}]}", (1, 9, 300), 1),
        ("replicas: 3", "scaling: null", None, 3),
        (OF_TEMPLATE, "scaling: null", None, 1),
    ],
)
def test_scaling_takes_the_place_of_the_templates_as_a_whole(
    tmp_path: Path, template: str, service: str, bounds: tuple[int, int, int] | None, replicas: int
) -> None:
    document(tmp_path, TEMPLATE.format(how=template), "base")
    found = load_service(document(tmp_path, f"service:\n  name: app\n  template: base\n  {service}\n"))
    scaling = found.scaling
    assert (scaling and (scaling.min, scaling.max, scaling.scale_down.stabilization_seconds)) == bounds
    assert found.replicas == replicas


def test_labels_of_these_names_stay(tmp_path: Path) -> None:
    document(tmp_path, TEMPLATE.format(how="labels: {replicas: a}"), "base")
    text = "service:\n  name: app\n  template: base\n  labels: {scaling: b}\n"
    assert load_service(document(tmp_path, text)).labels == {"replicas": "a", "scaling": "b"}


def test_both_in_one_service_are_refused_whatever_the_template_has(tmp_path: Path) -> None:
    document(tmp_path, TEMPLATE.format(how="replicas: 2"), "base")
    text = "service:\n  name: app\n  template: base\n  replicas: 3\n  scaling: {max: 9, metrics: [{cpu: 80%}]}\n"
    (finding,) = findings_of(document(tmp_path, text))
    assert finding.path == "service.replicas"
    assert "app.yaml:4" in finding.place


def _leaves(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [found for key, value in items for found in [(*path, key), *_leaves(value, (*path, key))]]


@pytest.mark.parametrize("wrong", [None, [], {}, "", "x", -1, 0.5, True], ids=repr)
def test_no_english_of_pydantic_reaches_the_user(tmp_path: Path, wrong: Any) -> None:
    good = yaml.safe_load(GOOD)
    for place in _leaves(good["service"]["scaling"]):
        spoilt = copy.deepcopy(good)
        part = spoilt["service"]["scaling"]
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = wrong
        try:
            load_service(document(tmp_path, yaml.safe_dump(spoilt, sort_keys=False)))
        except DocumentError as error:
            for finding in error.findings:
                assert finding.remedy, f"{place}: {finding}"
                for phrase in ("Input should", "valid ", "Value error", "pydantic"):
                    assert phrase not in f"{finding.path} {finding.message} {finding.remedy}", f"{place}: {finding}"
