"""Emulated GPUs on a cluster of containers: offered, given away, used up, sick and well again, gone without a trace."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from lab_cluster import done, planned, run_gedge

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

MANAGER, NODE, OTHER = "gedgem01", "gedgew01", "gedgew02"
CLASS = "gpu-worker"
GPU, MIG = "nvidia.com/gpu", "nvidia.com/mig-1g.5gb"
LABEL = "gedge.dev/emulated-gpus"
HEALTH = "/run/gedge-emulated/gpus/health.json"
GPUS = [
    {"resource": GPU, "count": 2, "numa_nodes": [0]},
    {"resource": MIG, "slices": 3, "numa_nodes": [0], "cdi": True},
]
TOOLS = "ghcr.io/gedge-provision/network-tools:v0.1.0"
ONLY = "artifacts,gpu,nodes"
SERVICE = """
service:
  name: taker
  containers:
    - image: k8s.gcr.io/echoserver:1.10
      resources:
        requests: {cpu: 100m, memory: 64Mi}
        acceleration: {compute: [{GPU: NUMBER}]}
"""


@pytest.fixture(scope="module", autouse=True)
def _emulated(lab: LabCluster) -> Iterator[None]:
    """Give the first worker a class with emulated GPUs, and take it back."""
    before = lab.site_path.read_text(encoding="utf-8")
    site = yaml.safe_load(before)
    (node,) = [one for one in site["nodes"] if one["name"] == NODE]
    site["node_classes"][CLASS] = {**site["node_classes"][node["node_class"]], "emulated_gpus": GPUS}
    node["node_class"] = CLASS
    try:
        lab.site_path.write_text(yaml.safe_dump(site, sort_keys=False), encoding="utf-8")
        daemon = ("create", "DaemonSet", f"kube-system/emulated-gpu-{CLASS}")
        assert daemon in planned(lab.plan("--offline"))[MANAGER]
        assert daemon in done(lab.apply())[MANAGER]
        yield
    finally:
        lab.kubectl("delete", "pod", "-l", "tier=gpus", "--ignore-not-found", "--timeout=60s", check=False)
        lab.site_path.write_text(before, encoding="utf-8")
        lab.gedge("apply", "--only", ONLY)


@pytest.fixture(autouse=True)
def _no_pods(lab: LabCluster) -> Iterator[None]:
    yield
    lab.kubectl("delete", "pod", "-l", "tier=gpus", "--ignore-not-found", "--timeout=60s")


def until(what: str, holds: Callable[[], bool], seconds: float = 60) -> float:
    """Wait, and return for how long."""
    since = time.monotonic()
    while not holds():
        assert time.monotonic() - since < seconds, f"{what}: not after {seconds} s"
        time.sleep(0.5)
    return time.monotonic() - since


def status(lab: LabCluster, node: str = NODE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.kubectl("get", "node", node, "-o", "json"))
    return found


def offered(lab: LabCluster, resource: str = GPU, part: str = "allocatable") -> int:
    return int(status(lab)["status"][part].get(resource, "0"))


def create(lab: LabCluster, name: str, **devices: int) -> None:
    """Create a pod with devices, and wait until it is ready."""
    resources = {"cpu": "50m", "memory": "32Mi"} | {{"gpu": GPU, "mig": MIG}[key]: str(n) for key, n in devices.items()}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"tier": "gpus"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "main",
                    "image": TOOLS,
                    "command": ["sleep", "infinity"],
                    "resources": {"requests": resources, "limits": resources},
                }
            ],
        },
    }
    lab.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    lab.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=90s")


def inside(lab: LabCluster, pod: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the environment of a container, and its device files with the numbers of each."""
    said = lab.kubectl(
        "exec", pod, "--", "sh", "-c",
        "env; echo --; for d in /dev/emulated-*; do echo x > $d && stat -c '%n %F %t:%T' $d; done",
    )  # fmt: skip
    environment, _, devices = said.partition("--\n")
    variables = dict(line.split("=", 1) for line in environment.splitlines() if "=" in line)
    return variables, dict(line.split(" ", 1) for line in devices.splitlines())


def held(lab: LabCluster, pod: str) -> dict[str, tuple[list[str], list[int]]]:
    """Return the devices of a pod with their NUMA nodes, as `gedge topology pods` shows them."""
    (node,) = json.loads(lab.gedge("topology", "pods", NODE, "--output", "json").stdout)
    (container,) = [one for one in node["containers"] if one["pod"] == pod]
    return {one["resource"]: (one["ids"], one["numa_nodes"]) for one in container["devices"]}


def registrations(lab: LabCluster) -> int:
    """Return how often the plugin has registered its resources; while the kubelet starts, nobody tells."""
    log = lab.kubectl("-n", "kube-system", "logs", "-l", "app=emulated-gpu", "--tail=-1", check=False)
    return log.count("emulated GPUs: registered ")


def judged(lab: LabCluster, code: int = 0) -> dict[tuple[str, str], tuple[str, str]]:
    report = json.loads(lab.gedge("verify", "--output", "json", code=code).stdout)
    checks = [check for check in report["checks"] if check["concern"] == "emulated gpus"]
    return {(check["node"], check["id"]): (check["status"], check["evidence"]) for check in checks}


def test_they_are_offered_and_said_to_be_emulated(lab: LabCluster) -> None:
    node = status(lab)
    assert {name: node["status"]["allocatable"].get(name) for name in (GPU, MIG)} == {GPU: "2", MIG: "3"}
    assert node["metadata"]["labels"][LABEL] == "true"
    other = status(lab, OTHER)
    assert GPU not in other["status"]["capacity"]
    assert LABEL not in other["metadata"]["labels"]
    found = judged(lab)
    assert {name for name, said in found.items() if said[0] != "pass"} == set()
    assert found[NODE, "gpus-emulated"][1] == f"2 emulated {GPU}, 3 emulated {MIG}; nothing is behind them"
    assert {name for name, _ in found} == {NODE}


def test_a_pod_gets_harmless_files_and_is_told(lab: LabCluster) -> None:
    create(lab, "whole", gpu=1)
    variables, devices = inside(lab, "whole")
    (gpu,) = held(lab, "whole")[GPU][0]
    assert held(lab, "whole") == {GPU: ([gpu], [0])}
    assert gpu.startswith("emulated-gpu-")
    assert variables["NVIDIA_VISIBLE_DEVICES"] == variables["GEDGE_EMULATED_GPU"] == gpu
    assert devices == {f"/dev/{gpu}": "character special file 1:3"}


def test_parts_come_by_cdi(lab: LabCluster) -> None:
    create(lab, "parts", mig=2)
    variables, devices = inside(lab, "parts")
    ids, nodes = held(lab, "parts")[MIG]
    assert nodes == [0]
    assert all(one.startswith("emulated-gpu-2-mig-") for one in ids)
    assert sorted(variables["NVIDIA_VISIBLE_DEVICES"].split(",")) == sorted(ids)
    assert devices == {f"/dev/{one}": "character special file 1:3" for one in ids}


def test_what_is_used_up_is_told(lab: LabCluster, tmp_path: Path) -> None:
    create(lab, "first", gpu=1)
    document = tmp_path / "service.yaml"
    document.write_text(SERVICE.replace("NUMBER", "3"), encoding="utf-8")
    refused = run_gedge("service", "apply", document, "--site", lab.site_path)
    assert refused.returncode == 3, refused.stderr
    assert f"{GPU}: 3 is asked for, only 2 is offered by {NODE}" in refused.stderr
    document.write_text(SERVICE.replace("NUMBER", "2"), encoding="utf-8")
    try:
        waits = run_gedge("service", "apply", document, "--timeout", 20, "--site", lab.site_path)
        assert waits.returncode == 1, waits.stdout
        assert "has no node: 0/3 nodes are available" in waits.stderr
        assert f"Insufficient {GPU}" in waits.stderr
        assert "free what the message names" in waits.stderr
        lab.kubectl("delete", "pod", "first", "--timeout=60s")
        fits = run_gedge("service", "apply", document, "--site", lab.site_path)
        assert fits.returncode == 0, fits.stderr
    finally:
        run_gedge("service", "delete", "taker", "--site", lab.site_path)


def test_a_gpu_becomes_unhealthy_and_well_again(lab: LabCluster) -> None:
    host = lab.hosts[NODE]
    host.run(f'echo \'{{"emulated-gpu-1": "Unhealthy"}}\' > {HEALTH}')
    try:
        until("one GPU less", lambda: offered(lab) == 1)
        assert offered(lab, part="capacity") == 2
        assert judged(lab, code=1)[NODE, "gpus-emulated"] == ("fail", f"it offers 1 of 2 emulated {GPU}")
    finally:
        host.run(f"echo '{{}}' > {HEALTH}")
    until("both GPUs again", lambda: offered(lab) == 2)
    log = lab.kubectl("-n", "kube-system", "logs", "-l", "app=emulated-gpu", "--tail=-1")
    assert "Unhealthy: emulated-gpu-1" in log
    assert "emulated GPUs: 2 devices of nvidia.com/gpu, all healthy" in log


def test_a_kubelet_restarts_under_a_pod(lab: LabCluster) -> None:
    create(lab, "stays", gpu=1, mig=1)
    before, pod = held(lab, "stays"), lab.kubectl("get", "pod", "stays", "-o", "jsonpath={.metadata.uid}")
    told = registrations(lab)
    lab.hosts[NODE].run("systemctl restart kubelet")
    until("the plugin has registered again", lambda: registrations(lab) == told + 2)
    until("the GPUs are back", lambda: (offered(lab), offered(lab, MIG)) == (2, 3))
    until("the kubelet tells of the pod", lambda: held(lab, "stays") == before)
    now = json.loads(lab.kubectl("get", "pod", "stays", "-o", "json"))
    assert now["metadata"]["uid"] == pod
    assert [one["restartCount"] for one in now["status"]["containerStatuses"]] == [0]
    # And the one that is free goes to the next pod.
    create(lab, "next", gpu=1)
    assert held(lab, "next")[GPU][0] != before[GPU][0]


def test_what_leaves_the_site_file_leaves_nothing(lab: LabCluster) -> None:
    """Last: the fixture then finds it done."""
    host = lab.hosts[NODE]
    assert "gedge-emulated-gpu.json" in host.run("ls /run/cdi")
    site = yaml.safe_load(lab.site_path.read_text(encoding="utf-8"))
    del site["node_classes"][CLASS]["emulated_gpus"]
    lab.site_path.write_text(yaml.safe_dump(site, sort_keys=False), encoding="utf-8")
    lab.gedge("apply", "--only", ONLY)
    until("no GPU is counted", lambda: not any(offered(lab, name, "capacity") for name in (GPU, MIG)))
    node = status(lab)
    assert {node["status"]["allocatable"].get(name, "0") for name in (GPU, MIG)} == {"0"}
    assert LABEL not in node["metadata"]["labels"]
    said = lab.kubectl("get", "daemonset,serviceaccount", "-n", "kube-system", "-o", "name")
    assert "emulated" not in said
    left = "find /run/gedge-emulated /run/cdi /var/lib/kubelet/device-plugins | grep emulated-gpu || true"
    assert host.run(left).strip() == ""
    assert host.run("find /run/gedge-emulated -type f -o -type c").strip() == ""
    assert "emulated-gpu" not in host.run("crictl images")
