"""A plan is what the apply then does, and drift is what somebody did by hand."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import LabCluster

pytestmark = pytest.mark.e2e

PATCH = "/etc/kubernetes/patches/kubeletconfiguration0+merge.yaml"
CONFLIST = "/etc/cni/net.d/10-flannel.conflist"
KUBECTL = "NO_PROXY=* KUBECACHEDIR=/tmp/kubectl kubectl --kubeconfig /etc/kubernetes/admin.conf"
MANAGER, FIRST, SECOND = "gedgem01", "gedgew01", "gedgew02"


def planned(plan: dict[str, Any]) -> dict[str, list[tuple[str, str, str]]]:
    return {host["host"]: [words(change) for change in host["changes"]] for host in plan["hosts"]}


def done(result: dict[str, Any]) -> dict[str, list[tuple[str, str, str]]]:
    return {host: [words(change) for change in changes] for host, changes in result["changes"].items()}


def words(change: dict[str, str]) -> tuple[str, str, str]:
    return change["action"], change["kind"], change["name"]


def settled(lab: LabCluster) -> None:
    """Wait until nothing differs: nodes take some seconds to be ready again."""
    end = time.monotonic() + 60
    while (plan := lab.plan())["hosts"] or plan["differences"]:
        assert time.monotonic() < end, plan
        time.sleep(2)


def test_the_plan_of_an_install_is_what_it_did(first_plan: dict[str, Any], first_apply: dict[str, Any]) -> None:
    assert len(planned(first_plan)[MANAGER]) > 40
    assert planned(first_plan) == done(first_apply)
    assert first_plan["consents"] == []


def test_a_converged_site_has_an_empty_plan_and_no_drift(lab: LabCluster) -> None:
    settled(lab)
    assert lab.gedge("plan").stdout.startswith("nothing to do")
    assert lab.gedge("drift").stdout.startswith("no drift")
    assert lab.gedge("plan", "--output", "json").stdout == lab.gedge("plan", "--output", "json").stdout


def test_a_saved_plan_is_applied_with_its_consents_and_refused_when_the_world_moved(
    lab: LabCluster, tmp_path: Path
) -> None:
    original = lab.site_path.read_text(encoding="utf-8")
    saved = tmp_path / "plan.json"
    try:
        lab.site_path.write_text(original.replace("cpu: 500m", "cpu: 600m"), encoding="utf-8")
        plan = lab.plan("--out", saved)
        settings = [("change", "file", PATCH), ("restart", "unit", "kubelet.service")]
        assert planned(plan) == {FIRST: settings, SECOND: settings}
        assert [(consent["host"], consent["flag"]) for consent in plan["consents"]] == [
            (FIRST, "kubelet-restart-ok"),
            (SECOND, "kubelet-restart-ok"),
        ]
        assert plan["differences"] == []

        lab.hosts[SECOND].run(f"rm {CONFLIST}")
        refused = lab.gedge("apply", saved, code=2).stderr
        assert f"{SECOND}: not in the plan: create file {CONFLIST}" in refused
        lab.gedge("apply", "--only", SECOND, "--kubelet-restart-ok")
        refused = lab.gedge("apply", saved, code=2).stderr
        assert f"{SECOND}: no longer needed: change file {PATCH}" in refused

        plan = lab.plan("--out", saved)
        assert done(json.loads(lab.gedge("apply", saved, "--output", "json").stdout)) == planned(plan)
    finally:
        lab.site_path.write_text(original, encoding="utf-8")
        lab.gedge("apply", "--kubelet-restart-ok")
    settled(lab)


def test_the_plan_of_an_added_node_and_of_another_network_port_is_what_the_apply_does(lab: LabCluster) -> None:
    settled(lab)
    original = lab.site_path.read_text(encoding="utf-8")
    third = "gedgew03"
    try:
        lab.resize(workers=3)
        plan = lab.plan()
        found = planned(plan)
        assert set(found) == {MANAGER, third}
        assert found[MANAGER] == [("change", "Node", third)]
        assert ("join", "node", third) in found[third]
        assert plan["differences"] == []
        assert done(lab.apply()) == found

        text = lab.site_path.read_text(encoding="utf-8")
        lab.site_path.write_text(f"{text}networks: {{flannel: {{port: 8473}}}}\n", encoding="utf-8")
        found = planned(lab.plan())
        flannel = [("change", "ConfigMap", "kube-flannel/kube-flannel-cfg")]
        assert found == {MANAGER: [*flannel, ("change", "DaemonSet", "kube-flannel/kube-flannel")]}
        assert done(lab.apply()) == found
        lab.gedge("reset", "--yes", "--only", third)
    finally:
        lab.resize(workers=2)
        assert lab.site_path.read_text(encoding="utf-8") == original
        lab.apply()
    settled(lab)


# What a person does to a host, and how drift names it: where, then action, kind and name.
BY_HAND = {
    "a deleted CNI file": (SECOND, f"rm {CONFLIST}", SECOND, ("create", "file", CONFLIST)),
    "a sysctl": (SECOND, "sysctl -qw net.ipv4.ip_forward=0", SECOND, ("set", "sysctl", "net.ipv4.ip_forward=1")),
    "a stopped service": (SECOND, "systemctl stop kubelet", SECOND, ("start", "unit", "kubelet.service")),
    "a disabled service": (SECOND, "systemctl disable -q containerd", SECOND, ("enable", "unit", "containerd.service")),
    "a swapped program": (FIRST, "echo x >> /usr/local/bin/crictl", FIRST, ("change", "binary", "crictl")),
    "a removed image": (
        FIRST,
        "ctr -n k8s.io images rm registry.k8s.io/pause:3.10.2",
        FIRST,
        ("change", "image", "pause"),
    ),
    "the kubelet's configuration": (
        FIRST,
        "sed -i 's/^cpuManagerPolicy: static/cpuManagerPolicy: none/' /var/lib/kubelet/config.yaml",
        FIRST,
        ("change", "file", "/var/lib/kubelet/config.yaml"),
    ),
    "the node's settings": (FIRST, f"echo 'maxPods: 20' >> {PATCH}", FIRST, ("change", "file", PATCH)),
    "the runtime's configuration": (
        MANAGER,
        "sed -i '/sandbox/d' /etc/containerd/config.toml",
        MANAGER,
        ("change", "file", "/etc/containerd/config.toml"),
    ),
    "a removed label": (
        MANAGER,
        f"{KUBECTL} label node {FIRST} gedge.dev/node-class-",
        MANAGER,
        ("change", "Node", FIRST),
    ),
    "an edited DaemonSet": (
        MANAGER,
        f"{KUBECTL} -n kube-flannel set image daemonset/kube-flannel '*=example.invalid/none:1'",
        MANAGER,
        ("change", "DaemonSet", "kube-flannel/kube-flannel"),
    ),
}
FOLLOWS = {
    ("restart", "unit", "kubelet.service"),
    ("restart", "unit", "containerd.service"),
}


def test_drift_names_what_was_done_by_hand_and_an_apply_repairs_just_that(lab: LabCluster, tmp_path: Path) -> None:
    settled(lab)
    expected: dict[str, set[tuple[str, str, str]]] = {}
    for host, script, where, change in BY_HAND.values():
        lab.hosts[host].run(script)
        expected.setdefault(where, set()).add(change)
    metrics = tmp_path / "drift.prom"
    found = json.loads(lab.gedge("drift", "--output", "json", "--textfile", metrics, code=3).stdout)
    assert f'gedge_drift_changes{{host="{MANAGER}",kind="DaemonSet",site="{lab.name}"}} 1.0' in metrics.read_text()
    assert {host: set(changes) - FOLLOWS for host, changes in planned(found).items()} == expected
    assert [consent["host"] for consent in found["consents"]] == [FIRST]
    told = {change["name"]: change["by"] for host in found["hosts"] for change in host["changes"]}
    assert told["kube-flannel/kube-flannel"].startswith("kubectl-set 20")
    assert told[FIRST] == ""  # nobody owns a field that is gone
    result = json.loads(lab.gedge("apply", "--kubelet-restart-ok", "--output", "json").stdout)
    assert done(result) == planned(found)
    settled(lab)
    assert lab.gedge("drift", "--textfile", metrics).stdout.startswith("no drift")
    assert f'gedge_drift_up{{site="{lab.name}"}} 1.0' in metrics.read_text()
    assert "gedge_drift_changes{" not in metrics.read_text()
