"""`gedge topology pods` on nodes of containers, beside what the kernel says of the processes there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from gedge_provision.models.cpusets import parse_cpuset

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

MANAGER, NODE = "gedgem01", "gedgew01"
CONFIG = "/var/lib/kubelet/config.yaml"
# An owner with an init container, and a pod that shares; the init container's CPU goes to the one after it.
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: owner, namespace: default, labels: {tier: pods}}
spec:
  nodeName: NODE
  terminationGracePeriodSeconds: 1
  initContainers:
    - name: first
      image: IMAGE
      args: [--help]
      resources: {requests: {cpu: "1", memory: 64Mi}, limits: {cpu: "1", memory: 64Mi}}
  containers:
    - name: main
      image: IMAGE
      args: [pause]
      resources: {requests: {cpu: "1", memory: 64Mi}, limits: {cpu: "1", memory: 64Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: sharer, namespace: default, labels: {tier: pods}}
spec:
  nodeName: NODE
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: IMAGE, args: [pause]}]
"""


@pytest.fixture(scope="module", autouse=True)
def _pods(lab: LabCluster) -> Iterator[None]:
    image = lab.hosts[NODE].run("crictl images -o json | grep -o '[^\"]*agnhost:[^\"]*' | head -1").strip()
    try:
        lab.kubectl("apply", "-f", "-", stdin=PODS.replace("IMAGE", image).replace("NODE", NODE))
        lab.kubectl("wait", "--for=condition=Ready", "pod", "-l", "tier=pods", "--timeout=90s")
        yield
    finally:
        lab.kubectl("delete", "pod", "-l", "tier=pods", "--wait=true", "--timeout=60s")


def looked(lab: LabCluster, *words: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """Return what is said of nodes, by name."""
    found = json.loads(lab.gedge("topology", "pods", *words, "--output", "json", code=code).stdout)
    return {node["node"]: node for node in found}


def allowed(lab: LabCluster, pod: str) -> str:
    """Return the CPUs that the kernel lets the process of a pod run on."""
    return (
        lab.hosts[NODE]
        .run(
            f"id=$(crictl ps --quiet --label io.kubernetes.pod.name={pod})\n"
            "pid=$(crictl inspect --output go-template --template '{{.info.pid}}' $id)\n"
            "awk '/^Cpus_allowed_list/ {print $2}' /proc/$pid/status"
        )
        .strip()
    )


def test_what_a_pod_owns_is_what_its_process_may_use(lab: LabCluster) -> None:
    node = looked(lab, NODE)[NODE]
    (one,) = node["containers"]
    assert (one["namespace"], one["pod"], one["container"]) == ("default", "owner", "main")
    assert one["cpus"] == allowed(lab, "owner")
    assert len(parse_cpuset(one["cpus"])) == 1
    assert node["shared"] == allowed(lab, "sharer")
    assert not parse_cpuset(node["reserved"]) & parse_cpuset(one["cpus"])
    assert (node["policies"]["cpu"], node["policies"]["topology"]) == ("static", "best-effort")
    assert [remark for remark in node["remarks"] if remark["severity"] == "error"] == []


def test_nodes_of_every_kind_stand_in_columns(lab: LabCluster) -> None:
    done = lab.gedge("topology", "pods", "--all")
    rows = [line.split() for line in done.stdout.splitlines()]
    (manager,) = [row for row in rows if row[:2] == [MANAGER, "none"]]
    assert manager[-2:] == ["-", lab.hosts[MANAGER].run("cat /sys/devices/system/cpu/online").strip()]
    owned = next(row for row in rows if row[:3] == [NODE, "default/owner", "main"])
    assert owned[3:5] != ["-", "-"]
    assert [NODE, "default/sharer", "main", "-", "-", "-", "-"] in rows
    assert any(row[:1] == [MANAGER] and row[1].startswith("kube-system/etcd-") for row in rows if len(row) > 1)


def test_a_node_that_is_not_there(lab: LabCluster) -> None:
    done = lab.gedge("topology", "pods", NODE, "gedgew77", code=2)
    assert "there is no node 'gedgew77'" in done.stderr
    assert f"name nodes of {MANAGER}, {NODE}" in done.stderr


def test_a_configuration_that_the_state_does_not_go_with(lab: LabCluster) -> None:
    host = lab.hosts[NODE]
    host.run(
        f"cp -p {CONFIG} /root/config.yaml && sed -i 's/^cpuManagerPolicy: static/cpuManagerPolicy: none/' {CONFIG}"
    )
    try:
        done = lab.gedge("topology", "pods", code=3)
    finally:
        host.run(f"mv /root/config.yaml {CONFIG}")
    assert f"error: {NODE}: the CPU manager runs with the policy static" in done.stdout
    assert "error" not in lab.gedge("topology", "pods").stdout


def test_a_kubelet_that_does_not_answer_leaves_the_others(lab: LabCluster) -> None:
    host = lab.hosts[MANAGER]
    host.run("systemctl stop kubelet")
    try:
        found = looked(lab, code=1)
        said = lab.gedge("topology", "pods", MANAGER, code=1).stderr
    finally:
        host.run("systemctl start kubelet")
    assert [one["pod"] for one in found[NODE]["containers"]] == ["owner"]
    assert "the kubelet does not tell what pods own" in found[MANAGER]["problem"]
    assert f"error: {MANAGER}: the kubelet does not tell what pods own" in said
    assert "systemctl status kubelet" in said
    lab.kubectl("wait", "--for=condition=Ready", f"node/{MANAGER}", "--timeout=60s")
