"""Scaling on the lab's cluster: out under load and in again, hand-over of replicas, bounds that fit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

NAME = "scaled"
SCALING = "scaling: {min: 1, max: 3, metrics: [{cpu: 50%}, {memory: 500Mi}], scaleDown: {stabilizationSeconds: 0}}"
DOCUMENT = """\
service:
  name: scaled
  %s
  containers:
    - image: registry.k8s.io/e2e-test-images/agnhost:2.63.0
      resources:
        requests: {cpu: 50m, memory: 32Mi}
        limits: {cpu: 200m}
"""
PINNED = """\
service:
  name: scaled
  scaling: {min: %d, max: 50, metrics: [{cpu: 80%%}]}
  containers:
    - image: registry.k8s.io/e2e-test-images/agnhost:2.63.0
      resources:
        requests: {cpu: 1, memory: 32Mi}
        acceleration: {topologyAware: true}
"""
_BUSY = "(while [ ! -e /stop ]; do :; done) >/dev/null 2>&1 &"
_LIMIT_S = 180.0  # a look of metrics-server and one of the autoscaler take 15 s each


def gedge(lab: LabCluster, *argv: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("gedge")), "service", *map(str, argv), "--site", str(lab.site_path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def apply(lab: LabCluster, folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    path = folder / f"{NAME}.yaml"
    path.write_text(text, encoding="utf-8")
    return gedge(lab, "apply", path, "-o", "json")


def status(lab: LabCluster) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gedge(lab, "status", NAME, "-o", "json").stdout)
    return found


def deployment(lab: LabCluster) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.kubectl("get", "deployment", NAME, "--show-managed-fields", "-o", "json"))
    return found


def replicas(lab: LabCluster) -> int:
    return int(deployment(lab)["spec"]["replicas"])


def owners(lab: LabCluster) -> set[str]:
    """Return who owns the number of replicas."""
    entries = deployment(lab)["metadata"]["managedFields"]
    return {one["manager"] for one in entries if "f:replicas" in one["fieldsV1"].get("f:spec", {})}


def wait_for(what: str, look: Callable[[], bool], lab: LabCluster) -> float:
    begin = time.monotonic()
    while not look():
        assert time.monotonic() < begin + _LIMIT_S, f"not {what}: {status(lab)}"
        time.sleep(2)
    return time.monotonic() - begin


@pytest.fixture(autouse=True)
def _clean(lab: LabCluster) -> Iterator[None]:
    gedge(lab, "delete", NAME)
    yield
    assert gedge(lab, "delete", NAME).returncode == 0
    assert NAME not in lab.kubectl("get", "hpa,deployments", "-o", "name")


def test_it_scales_out_and_in_and_hands_its_replicas_over(lab: LabCluster, tmp_path: Path) -> None:
    scaled = DOCUMENT % SCALING
    done = apply(lab, tmp_path, scaled)
    assert done.returncode == 0, done.stderr
    assert "does not scale: the cluster has no metrics" not in done.stderr
    wait_for("measured", lambda: "unknown" not in status(lab)["scaling"], lab)
    seen = status(lab)
    assert seen["scaling"].startswith("scales 1 to 3, cpu ")
    assert not seen["problem"], seen
    assert replicas(lab) == 1

    (pod,) = [one["name"] for one in seen["pods"] if one["phase"] == "Running"]
    lab.kubectl("exec", pod, "--", "/bin/sh", "-c", _BUSY)
    wait_for("scaled out", lambda: replicas(lab) == 3, lab)
    again = apply(lab, tmp_path, scaled)
    assert again.returncode == 0, again.stderr
    assert not json.loads(again.stdout)["changed"]
    assert replicas(lab) == 3
    assert owners(lab) <= {"kube-controller-manager"}  # or nobody, after a change by the scale subresource
    (line,) = json.loads(gedge(lab, "list", "-o", "json").stdout)
    assert line["scaling"].startswith("scales 1 to 3, cpu ")

    lab.kubectl("exec", pod, "--", "/bin/sh", "-c", ": > /stop")
    wait_for("scaled in", lambda: replicas(lab) == 1, lab)

    for number in (2, 1):  # back from the autoscaler, then as any fixed number
        done = apply(lab, tmp_path, DOCUMENT % f"replicas: {number}")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["changed"]
        assert (replicas(lab), owners(lab)) == (number, {"gedge"})
    assert not lab.kubectl("get", "hpa", "-o", "name").strip()
    assert status(lab)["scaling"] == ""


def test_a_fixed_number_stays_when_scaling_comes(lab: LabCluster, tmp_path: Path) -> None:
    assert apply(lab, tmp_path, DOCUMENT % "replicas: 2").returncode == 0
    revision = deployment(lab)["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
    done = apply(lab, tmp_path, DOCUMENT % SCALING.replace("min: 1", "min: 2"))
    assert done.returncode == 0, done.stderr
    assert replicas(lab) == 2
    assert owners(lab) <= {"gedge-scale", "kube-controller-manager"}
    found = deployment(lab)
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == revision
    # Never fewer on the way: a pod that was taken away and made again would be a third one.
    pods = json.loads(lab.kubectl("get", "pods", "-l", f"gedge.dev/service={NAME}", "-o", "json"))["items"]
    assert len(pods) == 2


def test_somebody_elses_number_is_a_conflict(lab: LabCluster, tmp_path: Path) -> None:
    assert apply(lab, tmp_path, DOCUMENT % "replicas: 1").returncode == 0
    lab.kubectl("scale", "deployment", NAME, "--replicas=2")
    done = apply(lab, tmp_path, DOCUMENT % "replicas: 3")
    assert done.returncode == 1
    assert "replicas" in done.stderr
    assert replicas(lab) == 2


def test_pods_with_their_own_cpus_scale_as_far_as_they_fit(lab: LabCluster, tmp_path: Path) -> None:
    refused = apply(lab, tmp_path, PINNED % 50)
    assert refused.returncode == 3, refused.stderr
    assert "of 50 fit beside what runs; nothing was changed" in refused.stderr.replace(" fits ", " fit ")
    assert gedge(lab, "status", NAME).returncode == 1
    done = apply(lab, tmp_path, PINNED % 1)
    assert done.returncode == 0, done.stderr
    bounds = json.loads(lab.kubectl("get", "hpa", NAME, "-o", "json"))["spec"]
    assert bounds["minReplicas"] == 1
    assert 1 <= bounds["maxReplicas"] < 50
    assert f"scales to {bounds['maxReplicas']} pod" in done.stderr
    assert "not to 50" in done.stderr
