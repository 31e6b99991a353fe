from __future__ import annotations

import pytest

from gedge_provision.models.cluster import NodeState
from gedge_provision.models.errors import NotFittingError
from gedge_provision.models.pod_specs import template_of
from gedge_provision.models.service import Service
from gedge_provision.planning.fit import Room, check_fit, requests_of
from gedge_provision.planning.manifests import render


def node(name: str, *, ready: bool = True, **changes: object) -> NodeState:
    spec = {key: changes.pop(key) for key in ("unschedulable", "taints") if key in changes}
    labels = changes.pop("labels", {})
    return NodeState.model_validate(
        {
            "metadata": {"name": name, "labels": labels},
            "spec": spec,
            "status": {
                "allocatable": {"cpu": "1500m", "memory": "4Gi", "pods": "110", **changes},
                "conditions": [{"type": "Ready", "status": str(ready)}],
            },
        }
    )


def service(acceleration: dict[str, object] | None = None, **parts: object) -> Service:
    resources = {"requests": {"cpu": "200m", "memory": "500Mi"}, "acceleration": acceleration or {}}
    return Service.model_validate({"name": "app", "containers": [{"image": "a:1", "resources": resources}], **parts})


def obstacles(wanted: Service, given: NodeState) -> tuple[str, ...]:
    room = Room(given, {}, None)
    return tuple(one.phrase for one in room.obstacles(template_of(render(wanted, "default"))))


SAMPLE = {"topologyAware": True, "compute": [{"GPU": 1}], "communication": "SRIOV"}


def test_the_sample_lacks_both_devices_on_all_nodes_and_the_offer_is_made() -> None:
    with pytest.raises(NotFittingError) as caught:
        check_fit(service(SAMPLE), [node("one"), node("two")])
    text = str(caught.value)
    assert "nvidia.com/gpu: 1 is asked for, none is offered by one, two" in text
    assert "intel.com/intel_sriov_netdevice: 1 is asked for, none is offered by one, two" in text
    assert "--without-acceleration" in text
    assert caught.value.exit_code == 3


def test_one_node_with_everything_is_enough() -> None:
    rich = node("two", **{"nvidia.com/gpu": "1", "intel.com/intel_sriov_netdevice": "4"})
    check_fit(service(SAMPLE), [node("one"), rich])


def test_devices_on_different_nodes_are_not_enough() -> None:
    nodes = [node("one", **{"nvidia.com/gpu": "1"}), node("two", **{"intel.com/intel_sriov_netdevice": "4"})]
    with pytest.raises(NotFittingError) as caught:
        check_fit(service(SAMPLE), nodes)
    assert "nvidia.com/gpu: 1 is asked for, none is offered by two" in str(caught.value)


def test_the_offer_is_made_only_where_it_helps() -> None:
    with pytest.raises(NotFittingError) as caught:
        check_fit(service(SAMPLE), [node("one", unschedulable=True)])
    assert "--without-acceleration" not in str(caught.value)
    assert "cordoned: one" in str(caught.value)


def test_a_device_that_is_all_broken_counts_as_too_few() -> None:
    assert obstacles(service({"compute": [{"GPU": 1}]}), node("one", **{"nvidia.com/gpu": "0"})) == (
        "nvidia.com/gpu: 1 is asked for, only 0 is offered by",
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (node("one", ready=False), "not ready:"),
        (
            node("one", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]),
            "taint k=v:NoSchedule keeps pods off",
        ),
        (node("one", cpu="100m"), "cpu: 200m is asked for, only 100m is offered by"),
        (node("one", memory="100Mi"), "memory: 500Mi is asked for, only 100Mi is offered by"),
    ],
)
def test_every_obstacle_is_named(given: NodeState, reason: str) -> None:
    assert obstacles(service(), given) == (reason,)


def test_a_taint_that_only_prefers_is_no_obstacle() -> None:
    assert obstacles(service(), node("one", taints=[{"key": "k", "effect": "PreferNoSchedule"}])) == ()


def test_a_node_selector_must_match() -> None:
    wanted = service(nodeSelector={"zone": "a"})
    assert obstacles(wanted, node("one")) == ("label zone=a is missing on",)
    assert obstacles(wanted, node("one", labels={"zone": "a"})) == ()


def test_containers_add_up_and_limits_stand_for_missing_requests() -> None:
    two = Service.model_validate(
        {
            "name": "app",
            "containers": [
                {"image": "a", "resources": {"requests": {"cpu": "900m"}}},
                {"image": "b", "resources": {"limits": {"cpu": "700m"}}},
            ],
        }
    )
    assert requests_of(template_of(render(two, "default")))["cpu"] * 1000 == 1600
    assert obstacles(two, node("one")) == ("cpu: 1600m is asked for, only 1500m is offered by",)


def test_a_thousand_nodes_still_fit_on_one_screen() -> None:
    with pytest.raises(NotFittingError) as caught:
        check_fit(service(SAMPLE), [node(f"n{index}") for index in range(1000)])
    assert len(str(caught.value).splitlines()) < 10
    assert "and 994 more" in str(caught.value)


def test_a_node_of_another_class_is_no_place() -> None:
    wanted = service(nodeClasses=["ai", "large"])
    assert obstacles(wanted, node("one", labels={"gedge.dev/node-class": "ai"})) == ()
    assert obstacles(wanted, node("two", labels={"gedge.dev/node-class": "plain"})) == (
        "label gedge.dev/node-class is plain, not ai or large:",
    )
    assert obstacles(wanted, node("three")) == ("label gedge.dev/node-class is missing, not ai or large:",)
