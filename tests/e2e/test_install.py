"""From bare hosts to a cluster that pins CPUs, and back; by `gedge` and by plain ansible-playbook."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest
from lab_cluster import changes

if TYPE_CHECKING:
    from conftest import Checked
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

WORKER = "gedgew01"


def changed(recap: str) -> dict[str, int]:
    """Return the number of changed tasks by host from ansible-playbook's recap."""
    return {m[1]: int(m[2]) for m in re.finditer(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", recap, re.MULTILINE)}


def pod(name: str, cpu: str, limit: str | None, node: str) -> str:
    resources: dict[str, dict[str, str]] = {"requests": {"cpu": cpu, "memory": "32Mi"}}
    if limit:
        resources["limits"] = {"cpu": limit, "memory": "32Mi"}
    container = {
        "name": "main",
        "image": "registry.k8s.io/e2e-test-images/agnhost:2.63.0",
        "args": ["pause"],
        "resources": resources,
    }
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [container]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def cpus_of(lab: LabCluster, node: str, name: str) -> set[int]:
    """Return the CPUs that a pod's process may use, as the kernel says of it (the test image has no shell)."""
    allowed = lab.hosts[node].run(
        f"id=$(crictl ps --quiet --label io.kubernetes.pod.name={name})\n"
        "pid=$(crictl inspect --output go-template --template '{{.info.pid}}' $id)\n"
        "awk '/^Cpus_allowed_list/ {print $2}' /proc/$pid/status"
    )
    cpus: set[int] = set()
    for part in allowed.strip().split(","):
        first, _, last = part.partition("-")
        cpus |= set(range(int(first), int(last or first) + 1))
    return cpus


def test_check_mode_and_a_plan_of_bare_hosts_write_nothing(before: dict[str, list[str]], checked: Checked) -> None:
    recap = changed(checked.printed)
    assert set(recap) == set(before)
    assert all(count > 0 for count in recap.values())
    for name, after in checked.after.items():
        assert changes(before[name], after) == [], name


def test_a_second_apply_changes_nothing(lab: LabCluster) -> None:
    assert lab.apply()["changed"] == {}


def test_plain_ansible_changes_nothing_on_a_converged_site(lab: LabCluster) -> None:
    states = {name: host.snapshot() for name, host in lab.hosts.items()}
    for options in ([], ["--check", "--diff"]):
        assert set(changed(lab.playbook("site", *options)).values()) == {0}
    for name, host in lab.hosts.items():
        # The cluster goes on writing its own state; everything else stands still.
        touched = {line for line in set(host.snapshot()) ^ set(states[name]) if line.startswith("file ")}
        assert {line for line in touched if "/var/lib/cni/" not in line} == set(), name


def test_the_workers_reserve_cpu_and_pin(lab: LabCluster) -> None:
    nodes = {node["name"]: node for node in json.loads(lab.gedge("status", "--output", "json").stdout)}
    assert set(nodes) == set(lab.hosts)
    for name, node in nodes.items():
        assert node["state"] == "ready"
        capacity = int(node["cpu_capacity"])
        if name.startswith("gedgew"):
            assert node["cpu_allocatable"] == f"{capacity * 1000 - 500}m"
            assert node["cpu_manager_policy"] == "static"
        else:
            assert node["cpu_allocatable"] == str(capacity)


def test_a_guaranteed_pod_owns_its_cpus(lab: LabCluster) -> None:
    try:
        lab.kubectl("apply", "-f", "-", stdin=pod("burst", "100m", None, WORKER))
        lab.kubectl("apply", "-f", "-", stdin=pod("pinned", "1", "1", WORKER))
        lab.kubectl("wait", "--for=condition=Ready", "pod/burst", "pod/pinned", "--timeout=60s")
        owned = cpus_of(lab, WORKER, "pinned")
        assert len(owned) == 1
        state = json.loads(lab.hosts[WORKER].run("cat /var/lib/kubelet/cpu_manager_state"))
        assert [int(cpus) for entry in state["entries"].values() for cpus in entry.values()] == list(owned)
        # The kubelet moves running containers off owned CPUs once every cpuManagerReconcilePeriod (10 s).
        deadline = time.monotonic() + 25
        while cpus_of(lab, WORKER, "burst") & owned:
            assert time.monotonic() < deadline
            time.sleep(1)
        lab.kubectl("delete", "pod", "burst", "--grace-period=1")
        lab.kubectl("apply", "-f", "-", stdin=pod("burst", "100m", None, WORKER))
        lab.kubectl("wait", "--for=condition=Ready", "pod/burst", "--timeout=60s")
        assert not cpus_of(lab, WORKER, "burst") & owned, "a pod that comes later never runs there"
    finally:
        lab.kubectl("delete", "pod", "burst", "pinned", "--ignore-not-found", "--grace-period=1")


def test_pods_reach_one_another_across_nodes_and_by_name(lab: LabCluster) -> None:
    try:
        for name, node in (("one", "gedgew01"), ("two", "gedgew02")):
            manifest = json.loads(pod(name, "10m", None, node))
            manifest["spec"]["containers"][0]["args"] = ["netexec", "--http-port=8080"]
            lab.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
        lab.kubectl("wait", "--for=condition=Ready", "pod/one", "pod/two", "--timeout=60s")
        address = lab.kubectl("get", "pod", "two", "-o", "jsonpath={.status.podIP}")
        lab.kubectl("exec", "one", "--", "/agnhost", "connect", f"{address}:8080", "--timeout=5s")
        lab.kubectl(
            "exec", "one", "--", "/agnhost", "connect", "kubernetes.default.svc.cluster.local:443", "--timeout=10s"
        )
    finally:
        lab.kubectl("delete", "pod", "one", "two", "--ignore-not-found", "--grace-period=1")


def test_reset_leaves_a_clean_host_and_apply_works_again(lab: LabCluster, before: dict[str, list[str]]) -> None:
    lab.gedge("reset", "--yes")
    for name, host in lab.hosts.items():
        assert changes(before[name], host.snapshot()) == [], name
    assert lab.gedge("reset", "--yes").stdout.startswith("changed 0 ")
    result = lab.apply()
    assert result["status"] == "successful"
    assert all(node["state"] == "ready" for node in json.loads(lab.gedge("status", "--output", "json").stdout))


def test_one_worker_leaves_and_comes_back(lab: LabCluster) -> None:
    lab.gedge("reset", "--yes", "--only", WORKER)
    assert WORKER not in lab.kubectl("get", "nodes", "-o", "name")
    lab.gedge("apply")
    deadline = time.monotonic() + 30
    while f"node/{WORKER}" not in lab.kubectl("get", "nodes", "-o", "name"):
        assert time.monotonic() < deadline
        time.sleep(1)
