"""The pod that looks into an image: where it runs, what it may do, and why it tells nothing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gedge_provision.models.cluster import Event, Manifest, NodeState
from gedge_provision.models.documents import parse_yaml, validate
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu_images import (
    SPACE,
    Place,
    choose_gpu,
    choose_place,
    pod,
    possible_nodes,
    report_trouble,
)
from gedge_provision.planning.site_checks import check_site

FIXTURES = Path(__file__).parents[2] / "fixtures" / "gpu"
SITE = """\
name: seoul-1
node_classes:
  plain: {}
  ai: {gpu: {}}
nodes:
  - {name: m1, address: 192.168.40.11, roles: [control_plane], node_class: plain}
  - {name: w1, address: 192.168.40.21, node_class: ai}
  - {name: w5, address: 192.168.40.25, node_class: ai}
"""


def site(text: str = SITE) -> Site:
    return validate(parse_yaml(text, "site.yml"), Site, check_site)


def node(name: str, *, ready: bool = True) -> NodeState:
    status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    return NodeState.model_validate({"metadata": {"name": name}, "status": status})


def test_where_the_pod_runs() -> None:
    live = {name: node(name) for name in ("w1", "w5")}
    assert possible_nodes(site(), ["ai"], None) == ("w1", "w5")
    assert possible_nodes(site(), ["ai"], "w3") == ("w3",)
    assert choose_place(site(), live, ["ai"], "w5") == Place("w5")
    assert choose_place(site(), live, ["ai"], None) == Place("w1")
    assert choose_place(site(), live | {"w1": node("w1", ready=False)}, ["ai"], None) == Place("w5")
    assert choose_place(site(), {"m1": node("m1")}, ["ai"], None) == Place("m1")
    with pytest.raises(GedgeError, match="no such node"):
        choose_place(site(), live, ["ai"], "w3")
    with pytest.raises(GedgeError, match="the node is not ready"):
        choose_place(site(), {"w1": node("w1", ready=False)}, ["ai"], "w1")
    with pytest.raises(GedgeError, match="no node is ready"):
        choose_place(site(), {"w1": node("w1", ready=False)}, ["ai"], None)


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        ({"w1": {"nvidia.com/gpu": 0}, "w5": {"nvidia.com/gpu": 2}}, Place("w5", "nvidia.com/gpu")),
        ({"w1": {"nvidia.com/gpu": 0, "nvidia.com/mig-1g.10gb": 1}}, Place("w1", "nvidia.com/mig-1g.10gb")),
        ({"w1": {"nvidia.com/gpu.shared": 3}}, Place("w1", "nvidia.com/gpu.shared")),
    ],
)  # fmt: skip
def test_which_gpu_the_pod_asks_for(free: dict[str, dict[str, int]], expected: Place) -> None:
    amounts = {name: {key: Decimal(value) for key, value in one.items()} for name, one in free.items()}
    live = {name: node(name) for name in ("w1", "w5")}
    assert choose_gpu(site(), live, amounts, None) == expected


def test_no_gpu_is_free_or_asked_for_as_a_resource() -> None:
    with pytest.raises(GedgeError, match=r"w1: no GPU is free"):
        choose_gpu(site(), {"w1": node("w1")}, {"w1": {"cpu": Decimal(4)}}, None)
    claims = site((FIXTURES / "dra.site.yml").read_text(encoding="utf-8"))
    with pytest.raises(UsageError, match="by claims"):
        choose_gpu(claims, {}, {}, None)


def test_the_pod_may_do_nothing() -> None:
    made = pod("example/app:1", "true", Place("w1"), 660)
    (container,) = made["spec"]["containers"]
    assert container["command"] == ["sh", "-c", "true"]
    assert container["resources"] == {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"} in container["env"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert made["spec"]["securityContext"]["runAsNonRoot"] is True
    assert made["spec"]["activeDeadlineSeconds"] == 660
    assert SPACE.manifest("here", "then")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_pod_on_a_gpu_asks_for_one() -> None:
    made = pod("example/app:1", "true", Place("w1", "nvidia.com/gpu"), 660)
    (container,) = made["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert [one["name"] for one in container["env"]] == ["NVIDIA_DRIVER_CAPABILITIES"]
    assert "w1" in str(made["spec"]["affinity"])


def failed(*, reason: str = "", message: str = "", **state: Any) -> Manifest:
    container = {"name": "image", "image": "example/app:1", "state": state}
    status = {"phase": "Failed", "reason": reason, "message": message, "containerStatuses": [container]}
    return {"metadata": {"name": "look", "namespace": SPACE.name}, "status": status}


RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: error during container init: "
)


def unstarted(message: str) -> Manifest:
    return failed(terminated={"reason": "StartError", "exitCode": 128, "message": message})


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "its pod is gone"),
        (unstarted(RUNC + 'exec: "sh": executable file not found in $PATH'), "the image has no shell"),
        (failed(waiting={"reason": "RunContainerError", "message": "exec sh: no such file or directory"}), "no shell"),
        (unstarted(RUNC + "exec format error"), "another kind of processor"),
        (unstarted(RUNC + 'exec: "sh": permission denied'), "other than root"),
        (unstarted("requirement error: unsatisfied condition: cuda>=13.0"), "NVIDIA_REQUIRE_CUDA"),
        (unstarted(RUNC + "something else"), "something else"),
        (failed(waiting={"reason": "ImagePullBackOff", "message": "not found"}), "does not get the image: not found"),
        (failed(reason="DeadlineExceeded", message="Pod was active too long"), "DeadlineExceeded"),
        (failed(terminated={"reason": "OOMKilled", "exitCode": 137}), "OOMKilled (137)"),
    ],
)  # fmt: skip
def test_why_an_image_tells_nothing(found: Manifest | None, said: str) -> None:
    trouble = report_trouble(found, (), late=False)
    assert trouble is not None
    assert said in trouble.message
    assert trouble.remedy


def test_a_pod_that_only_takes_its_time_is_waited_for() -> None:
    waiting = failed(waiting={"reason": "ContainerCreating"})
    waiting["status"]["phase"] = "Pending"
    assert report_trouble(waiting, (), late=False) is None
    late = report_trouble(waiting, (), late=True)
    assert late is not None
    assert "--timeout" in late.remedy
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    waiting["status"]["conditions"] = [condition]
    event = Event.model_validate({"involvedObject": {"uid": "1"}})
    unplaced = report_trouble(waiting, [event], late=True)
    assert unplaced is not None
    assert "0/3 nodes" in unplaced.message
