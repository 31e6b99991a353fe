"""Rollouts on the lab's cluster: the way back from every kind of failure, trials, and an orchestrator that dies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

IMAGE = "k8s.gcr.io/echoserver:1.10"
_SMALL = {"requests": {"cpu": "10m", "memory": "32Mi"}}


@dataclass(frozen=True)
class Room:
    """A namespace for one test, and a folder for its documents."""

    lab: LabCluster
    namespace: str
    folder: Path

    def command(self, *argv: str | Path) -> list[str]:
        gedge = str(Path(sys.executable).with_name("gedge"))
        return [gedge, "service", *map(str, argv), "-n", self.namespace, "--site", str(self.lab.site_path)]

    def gedge(self, *argv: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(self.command(*argv), capture_output=True, text=True, check=False, timeout=400)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def write(self, name: str = "app", **more: Any) -> Path:
        """Write a document of two pods; `more` is of their container, or of the service for `replicas` and such."""
        own = {key: more.pop(key) for key in ("replicas", "nodeSelector", "dependsOn", "labels") if key in more}
        container = {"image": IMAGE, "ports": [{"containerPort": 8080}], "resources": _SMALL, **more}
        path = self.folder / f"{name}.yaml"
        service = {"name": name, "replicas": 2, **own, "containers": [container]}
        path.write_text(yaml.safe_dump({"service": service}), encoding="utf-8")
        return path

    def history(self, name: str = "app") -> list[tuple[int, str, bool]]:
        lines = json.loads(self.gedge("history", name, "-o", "json").stdout)
        return [(line["number"], line["state"], line["runs"]) for line in lines]

    def status(self, name: str = "app") -> dict[str, Any]:
        argv = self.command("status", name, "-o", "json")
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def pods(self, selector: str = "gedge.dev/service=app") -> list[dict[str, Any]]:
        found = json.loads(self.kubectl("get", "pods", "-l", selector, "-o", "json"))
        items: list[dict[str, Any]] = [item for item in found["items"] if "deletionTimestamp" not in item["metadata"]]
        return items

    def kubectl(self, *words: str) -> str:
        printed: str = self.lab.kubectl("-n", self.namespace, *words)
        return printed


@contextmanager
def room(lab: LabCluster, name: str, folder: Path) -> Iterator[Room]:
    folder.mkdir(exist_ok=True)
    lab.kubectl("create", "namespace", name)
    try:
        yield Room(lab, name, folder)
    finally:
        lab.kubectl("delete", "namespace", name, "--wait=true", "--timeout=180s", timeout=200)


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


def what_fails_goes_back_while_the_rest_goes_on(room: Room) -> None:
    """Three services and three failures at once, with a fourth one that is well."""
    for name in (*FAILURES, "well"):
        room.write(name)
    room.gedge("apply", room.folder)
    before = {name: {pod["metadata"]["uid"] for pod in room.pods(f"gedge.dev/service={name}")} for name in FAILURES}
    for name, (wrong, _) in FAILURES.items():
        room.write(name, **wrong)
    room.write("well", labels={"round": "two"})
    done = room.gedge("apply", room.folder, "--timeout", "45", "-o", "json", code=1)
    told = {one["name"]: one for one in json.loads(done.stdout)}
    assert told["well"]["state"] == "ready"
    for name, (_, said) in FAILURES.items():
        assert told[name]["state"] == "rolled back", told[name]
        assert said in told[name]["problem"]
        assert "it was taken back: revision 1 runs again" in told[name]["problem"]
        assert room.history(name) == [(1, "good", True), (2, "failed", False)]
        assert room.status(name)["ready"]
        # Old pods were never taken away: their places go to new ones that are ready only.
        assert {pod["metadata"]["uid"] for pod in room.pods(f"gedge.dev/service={name}")} == before[name]
    assert room.history("well") == [(1, "good", False), (2, "good", True)]


def first_revisions_that_fail_stay_until_they_are_mended(room: Room) -> None:
    for name, (wrong, _) in FAILURES.items():
        room.write(name, **wrong)
    done = room.gedge("apply", room.folder, "--timeout", "45", "-o", "json", code=1)
    told = {one["name"]: one for one in json.loads(done.stdout)}
    for name, (_, said) in FAILURES.items():
        assert told[name]["state"] == "failed", told[name]
        assert said in told[name]["problem"]
        assert room.history(name) == [(1, "failed", False)]
        assert len(room.pods(f"gedge.dev/service={name}")) == 2
        room.write(name)
    room.gedge("apply", room.folder)
    assert {name: room.history(name)[-1] for name in FAILURES} == dict.fromkeys(FAILURES, (2, "good", True))


def an_exceeded_quota_is_final_and_goes_back(room: Room) -> None:
    document = room.write()
    room.gedge("apply", document)
    room.kubectl("create", "quota", "small", "--hard=requests.memory=96Mi")
    began = time.monotonic()
    room.write(resources={"requests": {"cpu": "10m", "memory": "64Mi"}})
    done = room.gedge("apply", document, "--timeout", "120", code=1)
    assert time.monotonic() - began < 100
    assert "exceeded quota" in done.stderr
    assert "revision 1 runs again" in done.stderr
    assert room.status()["ready"]
    assert room.history() == [(1, "good", True), (2, "failed", False)]


def an_orchestrator_that_is_killed_is_followed_by_another(room: Room) -> None:
    document = room.write()
    room.gedge("apply", document)
    room.write(image="example.invalid/none:1")
    command = room.command("apply", document, "--timeout", "300")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        wait_for(lambda: len(room.pods()) == 3)
        killed.send_signal(signal.SIGKILL)
    assert room.history() == [(1, "good", True), (2, "rolling out", False)]
    told = room.status()
    assert "gedge service resume app" in told["rollout"]
    done = room.gedge("resume", "app", "--timeout", "20", code=1)
    assert "revision 1 runs again" in done.stderr
    assert room.history() == [(1, "good", True), (2, "failed", False)]
    assert room.status()["ready"]
    assert room.gedge("resume", "app").stdout.startswith("app is ready")


def test_a_lost_node_is_gone_back_from(lab: LabCluster, tmp_path: Path) -> None:
    """The new revision is bound to a node whose kubelet ends in the middle of the rollout."""
    with room(lab, "lost-node", tmp_path) as where:
        _a_lost_node(where)


def _a_lost_node(room: Room) -> None:
    other, node = sorted(room.lab.hosts)[1:3]
    document = room.write(replicas=1, nodeSelector={"kubernetes.io/hostname": other})
    room.gedge("apply", document)
    slow = {"http": {"path": "/", "port": 8080}, "initialDelaySeconds": 20, "periodSeconds": 1}
    room.write(replicas=1, nodeSelector={"kubernetes.io/hostname": node}, readinessProbe=slow)
    command = room.command("apply", document, "--timeout", "60")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as going:
        wait_for(lambda: any(pod["spec"].get("nodeName") == node for pod in room.pods()), 30)
        room.lab.hosts[node].run("systemctl stop kubelet")
        try:
            _, said = going.communicate(timeout=240)
        finally:
            room.lab.hosts[node].run("systemctl start kubelet")
    assert going.returncode == 1, said
    assert "revision 1 runs again" in said, said
    assert room.history() == [(1, "good", True), (2, "failed", False)]
    wait_for(lambda: bool(room.status()["ready"]))


def served_by(url: str, times: int) -> Counter[str]:
    """Ask a service, each time anew, and count the pods that answer."""
    return Counter(httpx.get(f"{url}/hostname", trust_env=False, timeout=10).text for _ in range(times))


def a_canary_gets_a_share_of_the_traffic_and_is_promoted(room: Room) -> None:
    document = room.write(replicas=4, ports=[{"containerPort": 8080, "externalPort": 8121}])
    url = json.loads(room.gedge("apply", document, "-o", "json").stdout)["urls"][0]
    room.write(
        replicas=4,
        ports=[{"containerPort": 8080, "externalPort": 8121}],
        env=[{"name": "NEW", "value": "1"}],
    )
    tried = json.loads(room.gedge("apply", document, "--canary", "25", "-o", "json").stdout)
    assert (tried["state"], tried["revision"]) == ("on trial", 2)
    assert len(room.pods()) == 3
    (canary,) = room.pods("gedge.dev/service=app-canary")
    name = canary["metadata"]["name"]
    wait_for(lambda: 0 < served_by(url, 40)[name] < 40)
    assert "on trial as canary 25%" in room.status()["rollout"]
    room.gedge("promote", "app")
    assert not room.pods("gedge.dev/service=app-canary")
    new = room.pods()
    assert len(new) == 4
    assert all(pod["spec"]["containers"][0]["env"] == [{"name": "NEW", "value": "1"}] for pod in new)
    assert room.history() == [(1, "good", False), (2, "good", True)]


def a_preview_takes_all_traffic_at_one_moment_without_a_gap(room: Room) -> None:
    ports = [{"containerPort": 8080, "externalPort": 8122}]
    document = room.write(ports=ports)
    url = json.loads(room.gedge("apply", document, "-o", "json").stdout)["urls"][0]
    room.write(ports=ports, env=[{"name": "NEW", "value": "1"}])
    room.gedge("apply", document, "--blue-green")
    old = {pod["metadata"]["name"] for pod in room.pods()}
    assert set(served_by(url, 20)) <= old
    with subprocess.Popen(room.command("promote", "app"), stdout=subprocess.DEVNULL) as going:
        answers: list[str] = []
        while going.poll() is None:
            answers += served_by(url, 5)
            time.sleep(0.1)
    assert going.returncode == 0
    first_new = next(number for number, name in enumerate(answers) if name not in old)
    assert not set(answers[first_new + 20 :]) & old
    assert not room.pods("gedge.dev/trial-of=app")
    assert len(room.pods()) == 2
    assert room.history() == [(1, "good", False), (2, "good", True)]


def pause_resume_restart_scale_and_rollback(room: Room) -> None:
    document = room.write()
    room.gedge("apply", document)
    first = {pod["metadata"]["uid"] for pod in room.pods()}
    room.gedge("pause", "app")
    room.write(env=[{"name": "NEW", "value": "1"}])
    assert "gedge service resume app" in room.gedge("apply", document, code=1).stderr
    assert {pod["metadata"]["uid"] for pod in room.pods()} == first
    room.gedge("resume", "app")
    assert room.history() == [(1, "good", False), (2, "good", True)]
    second = {pod["metadata"]["uid"] for pod in room.pods()}
    assert not first & second
    room.gedge("restart", "app")
    assert not second & {pod["metadata"]["uid"] for pod in room.pods()}
    # A restart is no part of the document: applying it again changes nothing.
    assert not json.loads(room.gedge("apply", document, "-o", "json").stdout)["changed"]
    room.gedge("scale", "app", "3")
    assert len(room.pods()) == 3
    room.gedge("scale", "app", "900", code=3)
    room.gedge("rollback", "app", "--to", "1")
    (env,) = {str(pod["spec"]["containers"][0].get("env")) for pod in room.pods()}
    assert env == "None"
    assert "env" in room.gedge("diff", "app", "1", "2").stdout
    assert room.gedge("delete", "app").returncode == 0
    left = room.kubectl("get", "configmaps,deployments,services,pods", "-o", "name")
    assert left.split() == ["configmap/kube-root-ca.crt"]


def services_are_begun_in_the_order_of_their_dependencies(room: Room) -> None:
    room.write("web", dependsOn=["api"])
    room.write("api", dependsOn=["db"])
    room.write("db")
    room.gedge("apply", room.folder)
    made = {name: room.pods(f"gedge.dev/service={name}") for name in ("web", "api", "db")}
    for early, late in (("db", "api"), ("api", "web")):
        ready = max(
            condition["lastTransitionTime"]
            for pod in made[early]
            for condition in pod["status"]["conditions"]
            if condition["type"] == "Ready"
        )
        assert ready <= min(pod["metadata"]["creationTimestamp"] for pod in made[late])
    room.gedge("delete", "db")
    assert "depends on db, which is not in namespace" in room.gedge("apply", room.folder / "api.yaml", code=2).stderr


SCENARIOS: list[Callable[[Room], None]] = [
    what_fails_goes_back_while_the_rest_goes_on,
    first_revisions_that_fail_stay_until_they_are_mended,
    an_exceeded_quota_is_final_and_goes_back,
    an_orchestrator_that_is_killed_is_followed_by_another,
    a_canary_gets_a_share_of_the_traffic_and_is_promoted,
    a_preview_takes_all_traffic_at_one_moment_without_a_gap,
    pause_resume_restart_scale_and_rollback,
    services_are_begun_in_the_order_of_their_dependencies,
]


@pytest.fixture(scope="module")
def outcomes(lab: LabCluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[None]]:
    """All scenarios side by side, each in a namespace of its own: nearly all of their time is waiting."""

    def work(number: int, scenario: Callable[[Room], None]) -> None:
        name = scenario.__name__
        with room(lab, f"rollouts-{number}", tmp_path_factory.getbasetemp() / name) as where:
            scenario(where)

    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        return {one.__name__: pool.submit(work, number, one) for number, one in enumerate(SCENARIOS)}


@pytest.mark.parametrize("name", [one.__name__ for one in SCENARIOS])
def test_scenario(outcomes: dict[str, Future[None]], name: str) -> None:
    outcomes[name].result()
