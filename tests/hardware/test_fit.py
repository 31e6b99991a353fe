"""Generated pods on a node of emulated hardware: what is said before is what its scheduler and its kubelet then say."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from lab_cluster import run_gedge
from pods import TOOLS, VF, create, ready, remove, room

from gedge_provision.models.pod_specs import RunningPod

if TYPE_CHECKING:
    from conftest import EmulatedLab

pytestmark = [pytest.mark.hardware, pytest.mark.long]

NODE = "gedgew01"
_WAIT_S = 120
_FITS, _UNSCHEDULABLE = "fits", "Unschedulable"
# What is there while pods come: nothing, half of NUMA node 1, functions of NUMA node 0, nearly everything.
_OCCUPANTS: dict[str, list[dict[str, str]]] = {
    "empty": [],
    "half a node": [{"cpu": "2", "memory": "32Mi"}],
    "functions": [{"cpu": "100m", "memory": "32Mi", VF: "3"}],
    "crowded": [{"cpu": "2", "memory": "32Mi", VF: "3"}, {"cpu": "2", "memory": "32Mi"}],
}
_EACH = 15


def manifest(name: str, containers: list[dict[str, str]]) -> dict[str, Any]:
    """Return a pod whose containers ask for these amounts, no more and no less, for the scheduler to place."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"tier": "hardware"}},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": NODE},
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": f"c{place}",
                    "image": TOOLS,
                    "command": ["sleep", "infinity"],
                    "resources": {"requests": amounts, "limits": amounts},
                }
                for place, amounts in enumerate(containers)
            ],
        },
    }


def generated(seed: int) -> list[dict[str, Any]]:
    """Return pods of one or two containers, the same ones in every run."""
    random = Random(seed)  # noqa: S311 - no secret
    pods = []
    for number in range(_EACH):
        containers = []
        for _ in range(random.choice((1, 1, 1, 2))):
            amounts = {"cpu": random.choice(("500m", "1", "2", "2", "2", "3", "4", "4", "6")), "memory": "32Mi"}
            if random.random() < 0.6:
                amounts[VF] = str(random.randint(1, 5))
            containers.append(amounts)
        pods.append(manifest(f"generated{number}", containers))
    return pods


def verdict(lab: EmulatedLab, name: str) -> str:
    """Return what becomes of a pod: it runs, or the reason why it does not."""
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        status = json.loads(lab.kubectl("get", "pod", name, "-o", "json"))["status"]
        if status["phase"] in {"Running", "Failed"}:
            return status.get("reason", _FITS)
        for condition in status.get("conditions", []):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return str(condition["reason"])
        time.sleep(1)
    raise AssertionError(lab.kubectl("describe", "pod", name, check=False))


@pytest.fixture(autouse=True)
def _nothing_left(lab: EmulatedLab) -> Iterator[None]:
    yield
    remove(lab)


@pytest.mark.parametrize("there", _OCCUPANTS)
def test_the_verdict_on_every_pod_is_what_was_predicted(lab: EmulatedLab, there: str) -> None:
    occupants = [manifest(f"occupant{place}", [amounts]) for place, amounts in enumerate(_OCCUPANTS[there])]
    for occupant in occupants:  # one after the other, so that their order is known
        create(lab, occupant)
        ready(lab, occupant["metadata"]["name"])
    said, became = {}, {}
    for pod in generated(list(_OCCUPANTS).index(there)):
        name = pod["metadata"]["name"]
        kinds = [one.kind for one in room(lab, NODE).obstacles(RunningPod.model_validate(pod))]
        said[name] = (kinds[0] if kinds[0].endswith("Error") else _UNSCHEDULABLE) if kinds else _FITS
        create(lab, pod)
        became[name] = verdict(lab, name)
        lab.kubectl("delete", "pod", name, "--wait=true", "--timeout=120s", timeout=150)
    assert said == became
    assert len(became) == _EACH
    assert len(set(became.values())) > 1


def test_the_command_says_what_the_kubelet_would(lab: EmulatedLab, tmp_path: Path) -> None:
    """By what pods ask for, and by what the kubelet tells over SSH."""
    # All of NUMA node 1, whose CPUs are free; of NUMA node 0 two are reserved, and two are left.
    occupant = manifest("occupant", [{"cpu": "4", "memory": "32Mi"}])
    create(lab, occupant)
    ready(lab, "occupant")

    def fit(cpus: int, *cluster: str | Path) -> tuple[int, dict[str, Any]]:
        acceleration = {"topologyAware": True, "communication": "SRIOV"}
        resources = {"requests": {"cpu": cpus, "memory": "32Mi"}, "acceleration": acceleration}
        container = {"image": "k8s.gcr.io/echoserver:1.10", "resources": resources}
        service = {
            "name": "fitting",
            "nodeSelector": {"kubernetes.io/hostname": NODE},
            "containers": [container],
        }
        path = tmp_path / "service.yaml"
        path.write_text(yaml.safe_dump({"service": service}), encoding="utf-8")
        done = run_gedge("service", "fit", path, *cluster, "--output", "json")
        assert done.stdout, done.stderr
        nodes = json.loads(done.stdout)["nodes"]
        return done.returncode, next(node for node in nodes if node["node"] == NODE)

    site = ("--site", lab.site_path)
    for cluster in (site, (*site, "--look")):
        assert fit(2, *cluster)[0] == 0
        code, node = fit(4, *cluster)
        assert (code, node["holds"], node["empty_holds"]) == (3, 0, True)
        assert node["largest"] == "2 CPUs instead of 4"
        assert fit(1, *cluster)[0] == 0  # a whole core, since the site file says so
    code, node = fit(1, "--kubeconfig", lab.kubeconfig)
    assert (code, node["obstacles"][0]["kind"]) == (3, "SMTAlignmentError")
