"""Autoscalers: who owns replicas when, how many pods fit, and how scaling is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gedge_provision.models.autoscalers import AutoscalerState
from gedge_provision.models.cluster import NodeState
from gedge_provision.models.errors import NotFittingError
from gedge_provision.models.rollouts import Content, Strategy
from gedge_provision.models.service import Service
from gedge_provision.planning.autoscaler import Handover, handover, replicas_part
from gedge_provision.planning.fit import fit_service
from gedge_provision.planning.manifests import render
from gedge_provision.planning.rollouts import trial_of
from gedge_provision.planning.scaling import fitting_bounds, is_pinned, refuse_more
from gedge_provision.planning.scaling_status import scaling_line, scaling_trouble
from gedge_provision.services import load_service

FIXTURES = Path(__file__).parents[2] / "fixtures" / "services"
SCALING = load_service(FIXTURES / "scaling.yaml")
FIXED = SCALING.model_copy(update={"scaling": None, "replicas": 3})


def parts(service: Service) -> tuple[dict[str, Any], dict[str, Any] | None]:
    objects = render(service, "default")
    scaler = [one for one in objects if one["kind"] == "HorizontalPodAutoscaler"]
    return objects[0], scaler[0] if scaler else None


def live(replicas: int, *owners: tuple[str, str]) -> dict[str, Any]:
    """Return a Deployment whose replicas belong to (manager, subresource)."""
    other = {"manager": "gedge", "operation": "Apply", "fieldsV1": {"f:spec": {"f:selector": {}}}}
    fields = {"f:spec": {"f:replicas": {}}}
    entries = [{"manager": name, "subresource": part, "fieldsV1": fields} for name, part in owners]
    return {"metadata": {"managedFields": [other, *entries]}, "spec": {"replicas": replicas}}


HPA = ("kube-controller-manager", "scale")


@pytest.mark.parametrize(
    ("service", "there", "wanted"),
    [
        (SCALING, None, Handover("start", 2)),
        (SCALING, live(5, ("gedge", "")), Handover("let_go", 5)),
        (SCALING, live(5, ("gedge", ""), ("gedge-scale", "")), Handover("let_go", 5)),
        (SCALING, live(5, ("gedge-scale", "")), Handover()),
        (SCALING, live(5, HPA), Handover()),
        (SCALING, live(5, ("kubectl", "scale")), Handover()),
        (SCALING, live(1), Handover()),
        (FIXED, None, Handover()),
        (FIXED, live(5, ("gedge", "")), Handover()),
        (FIXED, live(5, HPA), Handover("take_back", 3)),
        (FIXED, live(5, ("gedge-scale", "")), Handover("take_back", 3)),
        (FIXED, live(3, ("gedge", ""), ("gedge-scale", "")), Handover("take_back", 3)),
        # Somebody else's number is a conflict, and stays one; so does what a controller manager did otherwise.
        (FIXED, live(5, ("kubectl", "scale")), Handover()),
        (FIXED, live(5, ("kube-controller-manager", "")), Handover()),
    ],
)
def test_replicas_pass_from_the_document_to_the_autoscaler_and_back(
    service: Service, there: dict[str, Any] | None, wanted: Handover
) -> None:
    assert handover(parts(service)[0], there, render(service, "default")) == wanted


def test_without_its_autoscaler_a_scaling_controller_keeps_its_replicas_all_the_same() -> None:
    controller, _ = parts(SCALING)
    assert handover(controller, live(5, ("gedge", "")), []) == Handover("let_go", 5)
    assert handover(controller, None, []) == Handover("start", 1)


def test_an_autoscaler_of_somebody_else_keeps_what_it_scales() -> None:
    ours = parts(SCALING)[1]
    assert ours is not None
    foreign = {**ours, "metadata": {"name": "mine", "namespace": "default", "labels": {"a": "b"}}}
    of_another = {**foreign, "spec": {**ours["spec"], "scaleTargetRef": {"kind": "Deployment", "name": "other"}}}
    controller, _ = parts(FIXED)
    assert handover(controller, live(5, HPA), [ours, of_another]) == Handover("take_back", 3)
    assert handover(controller, live(5, HPA), [foreign]) == Handover()


def test_only_what_makes_pods_has_replicas() -> None:
    for item in render(SCALING, "default")[1:]:
        assert handover(item, None, render(SCALING, "default")) == Handover()


def test_a_scaling_controller_has_no_replicas_and_a_fixed_one_has() -> None:
    assert "replicas" not in parts(SCALING)[0]["spec"]
    assert parts(FIXED) == ({**parts(SCALING)[0], "spec": {"replicas": 3, **parts(SCALING)[0]["spec"]}}, None)


def test_nothing_but_replicas_is_applied_for_another_manager() -> None:
    controller, _ = parts(SCALING)
    name = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "detector", "namespace": "default"}}
    assert replicas_part(controller, 4) == {**name, "spec": {"replicas": 4}}
    assert replicas_part(controller, None) == name


@pytest.mark.parametrize(("strategy", "pods"), [(Strategy("canary", 25), 2), (Strategy("blue-green"), 8)])
def test_a_trial_has_a_number_of_pods_and_does_not_scale(strategy: Strategy, pods: int) -> None:
    content = Content(SCALING, render(SCALING, "default"))
    manifests = trial_of(content, strategy, "default", 8).manifests
    assert {one["kind"] for one in manifests} <= {"Deployment", "Service"}
    assert [one["spec"]["replicas"] for one in manifests if one["kind"] == "Deployment"] == [pods]


def node(name: str, cpus: int) -> NodeState:
    conditions = [{"type": "Ready", "status": "True"}]
    allocatable = {"cpu": str(cpus), "memory": "64Gi", "pods": "110"}
    return NodeState.model_validate(
        {"metadata": {"name": name}, "status": {"allocatable": allocatable, "conditions": conditions}}
    )


PINNED = load_service(FIXTURES / "scaling-stateful.yaml")  # 2 CPUs for each of 1 to 3 pods


@pytest.mark.parametrize(
    ("cpus", "most", "note"),
    [
        ((5, 4), 3, ""),
        ((5, 1), 2, "recorder scales to 2 pods, not to 3: more do not fit"),
        ((2, 1), 1, "recorder scales to 1 pods, not to 3"),
    ],
)
def test_pods_that_own_cpus_scale_as_far_as_they_fit(cpus: tuple[int, ...], most: int, note: str) -> None:
    nodes = [node(f"n{index}", number) for index, number in enumerate(cpus)]
    found, told = fitting_bounds(PINNED, fit_service(PINNED, nodes, [], replicas=3))
    assert found.scaling is not None
    assert (found.scaling.min, found.scaling.max) == (1, most)
    assert told.startswith(note)
    assert bool(told) == bool(note)


def test_fewest_pods_that_do_not_fit_are_refused() -> None:
    assert PINNED.scaling is not None
    more = PINNED.model_copy(update={"scaling": PINNED.scaling.model_copy(update={"min": 2})})
    with pytest.raises(NotFittingError) as caught:
        fitting_bounds(more, fit_service(more, [node("n1", 3)], [], replicas=3))
    assert caught.value.exit_code == 3
    assert "1 pod of 2 fits beside what runs; nothing was changed\n  n1: 1 of them; for one more" in str(caught.value)
    assert "lower scaling.min to 1" in caught.value.remedy
    with pytest.raises(NotFittingError, match="0 pods of 1 fit"):
        fitting_bounds(PINNED, fit_service(PINNED, [node("n1", 1)], [], replicas=3))


def test_more_pods_are_refused_where_they_do_not_fit() -> None:
    found = fit_service(PINNED, [node("n1", 5)], [], replicas=4)
    refuse_more(PINNED, found, 2)
    with pytest.raises(NotFittingError, match="2 pods of 4 fit"):
        refuse_more(PINNED, found, 4)


def test_only_pods_with_cpus_or_devices_of_their_own_are_pinned() -> None:
    assert is_pinned(PINNED)
    assert not is_pinned(SCALING)
    assert is_pinned(load_service(FIXTURES / "parts-of-gpus.yaml"))


def state(conditions: list[dict[str, str]], measured: list[dict[str, Any]] | None) -> AutoscalerState:
    _, scaler = parts(SCALING)
    assert scaler is not None
    return AutoscalerState.model_validate({**scaler, "status": {"conditions": conditions, "currentMetrics": measured}})


# As the API server returns them.
MEASURED = [
    {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 43, "averageValue": "473m"}}},
    {"type": "Resource", "resource": {"name": "memory", "current": {"averageValue": "325058560"}}},
    {
        "type": "ContainerResource",
        "containerResource": {"name": "cpu", "container": "model", "current": {"averageValue": "1200m"}},
    },
]


def test_a_line_tells_bounds_and_what_is_measured() -> None:
    assert scaling_line(state([], MEASURED)) == (
        "scales 2 to 8, cpu 43% of 70%, memory 310Mi of 500Mi, cpu of model 1200m of 900m"
    )
    assert scaling_line(state([], None)) == (
        "scales 2 to 8, cpu unknown of 70%, memory unknown of 500Mi, cpu of model unknown of 900m"
    )
    limited = [{"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}]
    assert scaling_line(state(limited, MEASURED)).endswith(", more pods are wanted than max")


MESSAGE = "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics: "


@pytest.mark.parametrize(
    ("message", "said", "remedy"),
    [
        ("the server could not find the requested resource (get pods.metrics.k8s.io)", "no metrics", "metrics_server"),
        ("the server is currently unable to handle the request", "do not answer", "gedge verify"),
        ("no metrics returned from resource metrics API", "nothing is measured of its pods yet", "wait"),
        ("missing request for cpu in container proxy of Pod app", "missing request for cpu", "give those a request"),
        ("something else", "something else", "gedge verify"),
    ],
)
def test_what_keeps_it_from_scaling_is_told_with_a_remedy(message: str, said: str, remedy: str) -> None:
    condition = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"}
    problem, what = scaling_trouble(state([{**condition, "message": MESSAGE + message}], None))
    assert problem.startswith("it does not scale: ")
    assert said in problem
    assert remedy in what


def test_an_autoscaler_that_works_is_no_trouble() -> None:
    good = [{"type": kind, "status": "True", "message": "ok"} for kind in ("AbleToScale", "ScalingActive")]
    assert scaling_trouble(state(good, MEASURED)) == ("", "")
    assert scaling_trouble(state([], None)) == ("", "")
