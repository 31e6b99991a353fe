"""Rollouts on the lab's cluster: the way back from every kind of failure, trials, and an orchestrator that dies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

IMAGE = "k8s.gcr.io/echoserver:1.10"
NAMESPACE = "rollouts"
_SMALL = {"requests": {"cpu": "10m", "memory": "32Mi"}}


def gedge_command(lab: LabCluster, *argv: str | Path) -> list[str]:
    gedge = str(Path(sys.executable).with_name("gedge"))
    return [gedge, "service", *map(str, argv), "-n", NAMESPACE, "--site", str(lab.site_path)]


def gedge(lab: LabCluster, *argv: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(gedge_command(lab, *argv), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(autouse=True)
def _namespace(lab: LabCluster) -> Iterator[None]:
    lab.kubectl("create", "namespace", NAMESPACE)
    yield
    lab.kubectl("delete", "namespace", NAMESPACE, "--wait=true", "--timeout=120s")


def write(folder: Path, name: str = "app", **more: Any) -> Path:
    """Write a document of a service of two pods; `more` is of its container, or of itself for `replicas` and such."""
    of_service = {key: more.pop(key) for key in ("replicas", "nodeSelector", "dependsOn", "labels") if key in more}
    container = {"image": IMAGE, "ports": [{"containerPort": 8080}], "resources": _SMALL, **more}
    path = folder / f"{name}.yaml"
    service = {"name": name, "replicas": 2, **of_service, "containers": [container]}
    path.write_text(yaml.safe_dump({"service": service}), encoding="utf-8")
    return path


def history(lab: LabCluster, name: str = "app") -> list[tuple[int, str, bool]]:
    lines = json.loads(gedge(lab, "history", name, "-o", "json").stdout)
    return [(line["number"], line["state"], line["runs"]) for line in lines]


def status(lab: LabCluster, name: str = "app") -> dict[str, Any]:
    done = subprocess.run(
        gedge_command(lab, "status", name, "-o", "json"), capture_output=True, text=True, check=False, timeout=60
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def pods(lab: LabCluster, selector: str) -> list[dict[str, Any]]:
    found = json.loads(lab.kubectl("get", "pods", "-n", NAMESPACE, "-l", selector, "-o", "json"))
    items: list[dict[str, Any]] = [item for item in found["items"] if "deletionTimestamp" not in item["metadata"]]
    return items


def wait_for(what: Callable[[], bool], limit_s: float = 60) -> None:
    end = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end, "did not come"
        time.sleep(0.5)


# What is wrong with the second revision, and how the error begins.
FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "image": ({"image": "example.invalid/none:1"}, "example.invalid/none:1"),
    "probe": ({"readinessProbe": {"http": {"path": "/", "port": 9}, "periodSeconds": 1}}, "runs but is not ready"),
    "crash": ({"args": ["no-such-command"]}, "its last words"),
}


def test_what_fails_goes_back_while_the_rest_goes_on(lab: LabCluster, tmp_path: Path) -> None:
    """Three services and three failures at once, with a fourth one that is well."""
    for name in (*FAILURES, "well"):
        write(tmp_path, name)
    gedge(lab, "apply", tmp_path)
    before = {name: {pod["metadata"]["uid"] for pod in pods(lab, f"gedge.dev/service={name}")} for name in FAILURES}
    for name, (wrong, _) in FAILURES.items():
        write(tmp_path, name, **wrong)
    write(tmp_path, "well", labels={"round": "two"})
    done = gedge(lab, "apply", tmp_path, "--timeout", "30", "-o", "json", code=1)
    told = {one["name"]: one for one in json.loads(done.stdout)}
    assert told["well"]["state"] == "ready"
    for name, (_, said) in FAILURES.items():
        assert told[name]["state"] == "rolled back", told[name]
        assert said in told[name]["problem"]
        assert "it was taken back: revision 1 runs again" in told[name]["problem"]
        assert history(lab, name) == [(1, "good", True), (2, "failed", False)]
        assert status(lab, name)["ready"]
        # Old pods were never taken away: their places go to new ones that are ready only.
        assert {pod["metadata"]["uid"] for pod in pods(lab, f"gedge.dev/service={name}")} == before[name]
    assert history(lab, "well") == [(1, "good", False), (2, "good", True)]


def test_an_exceeded_quota_is_final_and_goes_back(lab: LabCluster, tmp_path: Path) -> None:
    document = write(tmp_path)
    gedge(lab, "apply", document)
    lab.kubectl("create", "quota", "small", "-n", NAMESPACE, "--hard=requests.memory=96Mi")
    began = time.monotonic()
    write(tmp_path, resources={"requests": {"cpu": "10m", "memory": "64Mi"}})
    done = gedge(lab, "apply", document, "--timeout", "120", code=1)
    assert time.monotonic() - began < 100
    assert "exceeded quota" in done.stderr
    assert "revision 1 runs again" in done.stderr
    assert status(lab)["ready"]
    assert history(lab) == [(1, "good", True), (2, "failed", False)]


def test_an_orchestrator_that_is_killed_is_followed_by_another(lab: LabCluster, tmp_path: Path) -> None:
    document = write(tmp_path)
    gedge(lab, "apply", document)
    write(tmp_path, image="example.invalid/none:1")
    command = gedge_command(lab, "apply", document, "--timeout", "300")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        wait_for(lambda: len(pods(lab, "gedge.dev/service=app")) == 3)
        killed.send_signal(signal.SIGKILL)
    assert history(lab) == [(1, "good", True), (2, "rolling out", False)]
    told = status(lab)
    assert "gedge service resume app" in told["rollout"]
    done = gedge(lab, "resume", "app", "--timeout", "20", code=1)
    assert "revision 1 runs again" in done.stderr
    assert history(lab) == [(1, "good", True), (2, "failed", False)]
    assert status(lab)["ready"]
    assert gedge(lab, "resume", "app").stdout.startswith("app is ready")


def test_a_lost_node_is_gone_back_from(lab: LabCluster, tmp_path: Path) -> None:
    """The new revision is bound to a node whose kubelet ends in the middle of the rollout."""
    node = min(name for name in lab.hosts if name != "gedgem01")
    document = write(tmp_path, replicas=1)
    gedge(lab, "apply", document)
    slow = {"http": {"path": "/", "port": 8080}, "initialDelaySeconds": 20, "periodSeconds": 1}
    write(tmp_path, replicas=1, nodeSelector={"kubernetes.io/hostname": node}, readinessProbe=slow)
    command = gedge_command(lab, "apply", document, "--timeout", "60")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as going:
        wait_for(lambda: any(pod["spec"].get("nodeName") == node for pod in pods(lab, "gedge.dev/service=app")), 30)
        lab.hosts[node].run("systemctl stop kubelet")
        try:
            _, said = going.communicate(timeout=240)
        finally:
            lab.hosts[node].run("systemctl start kubelet")
    assert going.returncode == 1, said
    assert "revision 1 runs again" in said
    assert history(lab) == [(1, "good", True), (2, "failed", False)]
    wait_for(lambda: bool(status(lab)["ready"]))


def served_by(url: str, times: int) -> Counter[str]:
    """Ask a service, each time anew, and count the pods that answer."""
    return Counter(httpx.get(f"{url}/hostname", trust_env=False, timeout=10).text for _ in range(times))


def test_a_canary_gets_a_share_of_the_traffic_and_is_promoted(lab: LabCluster, tmp_path: Path) -> None:
    document = write(tmp_path, replicas=4, ports=[{"containerPort": 8080, "externalPort": 8121}])
    url = json.loads(gedge(lab, "apply", document, "-o", "json").stdout)["urls"][0]
    write(
        tmp_path, replicas=4, ports=[{"containerPort": 8080, "externalPort": 8121}], env=[{"name": "NEW", "value": "1"}]
    )
    tried = json.loads(gedge(lab, "apply", document, "--canary", "25", "-o", "json").stdout)
    assert (tried["state"], tried["revision"]) == ("on trial", 2)
    assert len(pods(lab, "gedge.dev/service=app")) == 3
    (canary,) = pods(lab, "gedge.dev/service=app-canary")
    name = canary["metadata"]["name"]
    wait_for(lambda: 0 < served_by(url, 40)[name] < 40)
    assert "on trial as canary 25%" in status(lab)["rollout"]
    gedge(lab, "promote", "app")
    assert not pods(lab, "gedge.dev/service=app-canary")
    new = pods(lab, "gedge.dev/service=app")
    assert len(new) == 4
    assert all(pod["spec"]["containers"][0]["env"] == [{"name": "NEW", "value": "1"}] for pod in new)
    assert history(lab) == [(1, "good", False), (2, "good", True)]


def test_a_preview_takes_all_traffic_at_one_moment_without_a_gap(lab: LabCluster, tmp_path: Path) -> None:
    ports = [{"containerPort": 8080, "externalPort": 8122}]
    document = write(tmp_path, ports=ports)
    url = json.loads(gedge(lab, "apply", document, "-o", "json").stdout)["urls"][0]
    write(tmp_path, ports=ports, env=[{"name": "NEW", "value": "1"}])
    gedge(lab, "apply", document, "--blue-green")
    old = {pod["metadata"]["name"] for pod in pods(lab, "gedge.dev/service=app")}
    assert set(served_by(url, 20)) <= old
    with subprocess.Popen(gedge_command(lab, "promote", "app"), stdout=subprocess.DEVNULL) as going:
        answers = []
        while going.poll() is None:
            answers += served_by(url, 5)
            time.sleep(0.1)
    assert going.returncode == 0
    first_new = next(number for number, name in enumerate(answers) if name not in old)
    assert not set(answers[first_new + 20 :]) & old
    assert not pods(lab, "gedge.dev/trial-of=app")
    assert len(pods(lab, "gedge.dev/service=app")) == 2
    assert history(lab) == [(1, "good", False), (2, "good", True)]


def test_pause_resume_restart_scale_and_rollback(lab: LabCluster, tmp_path: Path) -> None:
    document = write(tmp_path)
    gedge(lab, "apply", document)
    first = {pod["metadata"]["uid"] for pod in pods(lab, "gedge.dev/service=app")}
    gedge(lab, "pause", "app")
    write(tmp_path, env=[{"name": "NEW", "value": "1"}])
    assert "gedge service resume app" in gedge(lab, "apply", document, code=1).stderr
    assert {pod["metadata"]["uid"] for pod in pods(lab, "gedge.dev/service=app")} == first
    gedge(lab, "resume", "app")
    assert history(lab) == [(1, "good", False), (2, "good", True)]
    second = {pod["metadata"]["uid"] for pod in pods(lab, "gedge.dev/service=app")}
    assert not first & second
    gedge(lab, "restart", "app")
    assert not second & {pod["metadata"]["uid"] for pod in pods(lab, "gedge.dev/service=app")}
    # A restart is no part of the document: applying it again changes nothing.
    assert not json.loads(gedge(lab, "apply", document, "-o", "json").stdout)["changed"]
    gedge(lab, "scale", "app", "3")
    assert len(pods(lab, "gedge.dev/service=app")) == 3
    gedge(lab, "scale", "app", "900", code=3)
    gedge(lab, "rollback", "app", "--to", "1")
    (env,) = {str(pod["spec"]["containers"][0].get("env")) for pod in pods(lab, "gedge.dev/service=app")}
    assert env == "None"
    assert "env" in gedge(lab, "diff", "app", "1", "2").stdout
    assert gedge(lab, "delete", "app").returncode == 0
    left = lab.kubectl("get", "controllerrevisions,deployments,services,pods", "-n", NAMESPACE, "-o", "name")
    assert left.strip() == ""


def test_services_are_begun_in_the_order_of_their_dependencies(lab: LabCluster, tmp_path: Path) -> None:
    write(tmp_path, "web", dependsOn=["api"])
    write(tmp_path, "api", dependsOn=["db"])
    write(tmp_path, "db")
    gedge(lab, "apply", tmp_path)
    made = {name: pods(lab, f"gedge.dev/service={name}") for name in ("web", "api", "db")}
    for early, late in (("db", "api"), ("api", "web")):
        ready = max(
            condition["lastTransitionTime"]
            for pod in made[early]
            for condition in pod["status"]["conditions"]
            if condition["type"] == "Ready"
        )
        assert ready <= min(pod["metadata"]["creationTimestamp"] for pod in made[late])
    gedge(lab, "delete", "db")
    assert "depends on db, which is not in namespace" in gedge(lab, "apply", tmp_path / "api.yaml", code=2).stderr
