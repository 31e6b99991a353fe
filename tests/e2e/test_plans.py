"""A plan is what the apply then does, and drift is what somebody did by hand."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from final_state import settled
from lab_cluster import done, planned

from gedge_provision.adapters.locations import cache_dir
from gedge_provision.adapters.store import Store

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
PATCH = "/etc/kubernetes/patches/kubeletconfiguration0+merge.yaml"
CONFLIST = "/etc/cni/net.d/10-flannel.conflist"
MIRROR = "/etc/containerd/certs.d/docker.io/hosts.toml"
KUBECTL = "NO_PROXY=* KUBECACHEDIR=/tmp/kubectl kubectl --kubeconfig /etc/kubernetes/admin.conf"
MANAGER, FIRST, SECOND = "gedgem01", "gedgew01", "gedgew02"


def test_the_plan_of_an_install_is_what_it_did(first_plan: dict[str, Any], first_apply: dict[str, Any]) -> None:
    assert len(planned(first_plan)[MANAGER]) > 40
    assert planned(first_plan) == done(first_apply)
    assert first_plan["consents"] == []


def test_a_converged_site_has_an_empty_plan_and_no_drift(lab: LabCluster) -> None:
    settled(lab)
    first, second = (lab.gedge("plan", "--output", "json").stdout for _ in range(2))
    assert first == second
    assert json.loads(first)["hosts"] == []
    assert lab.gedge("plan", "--offline").stdout.startswith("nothing to do")
    assert lab.gedge("drift").stdout.startswith("no drift")


def deployment(name: str) -> str:
    """Return a Deployment of one pod that may run anywhere."""
    container = {"name": "main", "image": "registry.k8s.io/e2e-test-images/agnhost:2.63.0", "args": ["pause"]}
    pod = {"terminationGracePeriodSeconds": 0, "containers": [container], "nodeName": None}
    labels = {"app": name}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})


def test_kubelet_settings_change_node_by_node_with_consent_or_by_a_saved_plan(lab: LabCluster, tmp_path: Path) -> None:
    original = lab.site_path.read_text(encoding="utf-8")
    saved = tmp_path / "plan.json"
    setting = ("change", "setting", "kubeReserved.cpu from 500m to 600m (drain)")
    settings = [("change", "file", PATCH), setting, ("restart", "unit", "kubelet.service")]
    wanted = {name: [("drain", "node", name), *settings] for name in (FIRST, SECOND)}
    try:
        lab.kubectl("apply", "-f", "-", stdin=deployment("moves"))
        lab.kubectl("wait", "--for=condition=Available", "deployment/moves", "--timeout=60s")
        home = lab.kubectl("get", "pods", "-l", "app=moves", "-o", "jsonpath={.items[0].spec.nodeName}")
        lab.site_path.write_text(original.replace("cpu: 500m", "cpu: 600m"), encoding="utf-8")
        assert planned(lab.plan("--offline")) == wanted
        plan = lab.plan("--out", saved)
        assert planned(plan) == wanted
        assert [(consent["host"], consent["flag"]) for consent in plan["consents"]] == [
            (name, flag) for name in (FIRST, SECOND) for flag in ("drain-ok", "kubelet-restart-ok")
        ]
        moved = {consent["host"] for consent in plan["consents"] if "default/moves" in "".join(consent["pods"])}
        assert moved == {home}
        assert plan["differences"] == []
        assert plan["expected_s"] > 0

        refused = lab.gedge("apply", code=1).stderr
        assert f"{FIRST}, {SECOND}: Check hosts" in refused
        assert "gedge apply --kubelet-restart-ok --drain-ok, or -e kubelet_restart_ok=true -e kub" in flat(refused)
        refused = lab.gedge("apply", "--only", f"{FIRST},kubelet", "--drain-ok", code=1).stderr
        assert "gedge apply --kubelet-restart-ok, or" in flat(refused)
        refused = lab.gedge("apply", "--only", f"{FIRST},kubelet", "--kubelet-restart-ok", code=1).stderr
        assert "gedge apply --drain-ok" in refused
        lab.hosts[SECOND].run(f"rm {CONFLIST}")
        refused = lab.gedge("apply", saved, code=2).stderr
        assert f"{SECOND}: not in the plan: create file {CONFLIST}" in refused
        lab.gedge("apply", "--only", f"{SECOND},network")

        assert done(json.loads(lab.gedge("apply", saved, "--output", "json").stdout)) == wanted
        nodes = {node["name"]: node for node in json.loads(lab.gedge("status", "--output", "json").stdout)}
        assert nodes[FIRST]["cpu_allocatable"] == f"{int(nodes[FIRST]['cpu_capacity']) * 1000 - 600}m"
        assert "unschedulable" not in lab.kubectl("get", "nodes", "-o", "json")
        # The first node was emptied before the second one was: the pod has moved at least once.
        lab.kubectl("wait", "--for=condition=Available", "deployment/moves", "--timeout=60s")
        refused = lab.gedge("apply", saved, code=2).stderr
        assert f"{SECOND}: no longer needed: change file {PATCH}" in refused
    finally:
        lab.kubectl("delete", "deployment", "moves", "--ignore-not-found", "--grace-period=0")
        lab.site_path.write_text(original, encoding="utf-8")
        lab.gedge("apply", "--kubelet-restart-ok", "--drain-ok")
    settled(lab)
    assert lab.hosts[FIRST].run("ls -d /etc/kubernetes/tmp", check=False) == ""  # kubeadm's copies of former settings


def test_a_node_that_is_not_well_ends_the_change(lab: LabCluster) -> None:
    """The canary is drained and restarted, and does not come back, by no settings: it stays closed, the others keep "
    "theirs."""
    original = lab.site_path.read_text(encoding="utf-8")
    drop_in, broken = "/etc/systemd/system/kubelet.service.d", r"[Service]\nRestartSec=1\nExecStart=\nExecStart=false\n"
    try:
        lab.hosts[FIRST].run(f"mkdir -p {drop_in} && printf '{broken}' > {drop_in}/broken.conf")
        lab.site_path.write_text(original.replace("cpu: 500m", "cpu: 700m"), encoding="utf-8")
        failed = lab.gedge("apply", "--only", "kubelet", "--kubelet-restart-ok", "--drain-ok", code=1).stderr
        assert f"{FIRST}: Change nodes that run pods" in failed
        assert "kubelet.service does not run with them either" in failed
        assert "cpu: 500m" in lab.hosts[SECOND].run(f"cat {PATCH}")
        assert lab.kubectl("get", "node", FIRST, "-o", "jsonpath={.spec.unschedulable}") == "true"
    finally:
        lab.hosts[FIRST].run(f"rm -r {drop_in} && systemctl daemon-reload")
        lab.site_path.write_text(original, encoding="utf-8")
        lab.gedge("apply", "--kubelet-restart-ok", "--drain-ok")
    settled(lab)
    assert lab.kubectl("get", "node", FIRST, "-o", "jsonpath={.spec.unschedulable}") == ""


def test_plans_of_an_added_node_of_one_that_leaves_and_of_another_port(lab: LabCluster) -> None:
    original = lab.site_path.read_text(encoding="utf-8")
    third = "gedgew03"
    try:
        lab.resize(workers=3)
        plan = lab.plan()
        found = planned(plan)
        assert set(found) == {MANAGER, third}
        assert found[MANAGER] == [
            ("create", "label", f"{third} gedge.dev/node-class=ai-worker"),
            ("create", "annotation", f"{third} gedge.dev/alignment"),
        ]
        assert ("join", "node", third) in found[third]
        assert plan["differences"] == []
        assert without_sysctls(planned(lab.plan("--offline"))) == without_sysctls(found)
        assert done(lab.apply()) == found

        moved = original.replace("networks: {", "networks: {flannel: {port: 8473}, ")
        lab.site_path.write_text(moved, encoding="utf-8")
        plan = lab.plan()
        found = planned(plan)
        flannel = [("change", "ConfigMap", "kube-flannel/kube-flannel-cfg")]
        assert found[MANAGER] == [*flannel, ("change", "DaemonSet", "kube-flannel/kube-flannel")]
        assert set(found) == {MANAGER, third}
        assert {("drain", "node", third), ("leave", "node", third), ("forget", "node", third)} <= set(found[third])
        assert [(consent["host"], consent["flag"]) for consent in plan["consents"]] == [(third, "removal-ok")]
        assert "the site file no longer has gedgew03 the run would move" in flat(lab.gedge("apply", code=1).stderr)
        planned_site = lab.site_path.read_text(encoding="utf-8")
        renamed = planned_site.replace(
            "nodes:\n", f"nodes:\n- {{name: other, node_class: ai-worker, address: {lab_address(lab, 3)}}}\n"
        )
        lab.site_path.write_text(renamed, encoding="utf-8")
        assert "gedgew03, but the same host under another name" in flat(lab.gedge("plan", code=1).stderr)
        lab.site_path.write_text(planned_site, encoding="utf-8")
        assert done(json.loads(lab.gedge("apply", "--removal-ok", "--output", "json").stdout)) == found
        assert third not in lab.kubectl("get", "nodes", "-o", "name")
    finally:
        lab.resize(workers=2)
        assert lab.site_path.read_text(encoding="utf-8") == original
        lab.gedge("apply", "--removal-ok")
    settled(lab)


def test_hosts_under_each_others_names_and_a_worker_as_control_plane_are_refused(lab: LabCluster) -> None:
    original = lab.site_path.read_text(encoding="utf-8")
    first, second = (lab.hosts[name].address for name in (FIRST, SECOND))
    swapped = original.replace(first, "FIRST").replace(second, first).replace("FIRST", second)
    site = yaml.safe_load(original)
    site["nodes"][0]["roles"], site["nodes"][1]["roles"] = ["worker"], ["control_plane"]
    try:
        lab.site_path.write_text(swapped, encoding="utf-8")
        assert f"{FIRST}, {SECOND}: the host carries a node of another" in flat(lab.gedge("plan", code=1).stderr)
        lab.site_path.write_text(yaml.safe_dump(site), encoding="utf-8")
        assert f"{FIRST} is a worker of a cluster" in flat(lab.gedge("plan", code=1).stderr)
    finally:
        lab.site_path.write_text(original, encoding="utf-8")


def test_the_plan_of_another_version_of_an_add_on(lab: LabCluster, tmp_path: Path) -> None:
    """Flannel's image under another reference, as a newer catalog has it; the tree and the store are copies."""
    reference, newer = "ghcr.io/flannel-io/flannel:v0.26.7", "ghcr.io/flannel-io/flannel:v0.26.7-next"
    tree, cache = newer_tree(tmp_path, reference, newer)
    environment = {**os.environ, "GEDGE_CACHE_DIR": str(cache), "PYTHONPATH": str(tree)}

    def gedge(*words: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "gedge_provision", *words, "--site", lab.site_path, "--output", "json"],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    try:
        found = planned(gedge("plan"))
        image = ("create", "image", "flannel")
        daemon = ("change", "DaemonSet", "kube-flannel/kube-flannel")
        assert {host: set(changes) for host, changes in found.items()} == {
            MANAGER: {image, daemon},
            FIRST: {image},
            SECOND: {image},
        }
        assert planned(gedge("plan", "--offline")) == found
        assert done(gedge("apply")) == found
        lab.kubectl("-n", "kube-flannel", "rollout", "status", "daemonset/kube-flannel", "--timeout=60s")
        pods = json.loads(lab.kubectl("-n", "kube-flannel", "get", "pods", "-o", "json"))["items"]
        # A rollout is done while a pod of before may still end.
        stay = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        assert len(stay) == len(found)
        assert {container["image"] for pod in stay for container in pod["spec"]["containers"]} == {newer}
    finally:
        lab.gedge("apply")
    settled(lab)


def without_sysctls(found: dict[str, list[tuple[str, str, str]]]) -> dict[str, list[tuple[str, str, str]]]:
    """Leave out what a host of the same kind needed and a new one may have by itself."""
    return {host: [change for change in changes if change[1] != "sysctl"] for host, changes in found.items()}


def flat(text: str) -> str:
    return " ".join(text.split())


def lab_address(lab: LabCluster, number: int) -> str:
    """Return the address that the lab has given its worker of this number."""
    first = lab.hosts[FIRST].address
    return f"{first[:-1]}{number}"


def newer_tree(folder: Path, reference: str, newer: str) -> tuple[Path, Path]:
    """Make a tree and a store whose catalog has the image under a newer reference."""
    tree, cache = folder / "tree", folder / "cache"
    for name in ("gedge_provision", "roles", "playbooks", "plugins", "inventories", "gobuild", "pybuild"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "ansible.cfg", tree)
    catalog = tree / "gedge_provision" / "data" / "catalog.yml"
    catalog.write_text(catalog.read_text(encoding="utf-8").replace(reference, newer), encoding="utf-8")
    shutil.copytree(cache_dir() / "store", cache / "store", copy_function=os.symlink)
    store = Store(cache / "store")
    old = store.entries()["flannel"]
    archive = folder / "flannel.tar"
    subprocess.run(
        ["skopeo", "copy", "-q", f"oci-archive:{old.path}", f"oci-archive:{archive}:{newer}"], check=True, timeout=60
    )
    store.put(archive, dataclasses.replace(old, target=newer))
    return tree, cache


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
        ("create", "image", "pause"),
    ),
    "a deleted program": (MANAGER, "rm /opt/cni/bin/bridge", MANAGER, ("create", "cni_plugin", "bridge")),
    "the kubelet's configuration": (
        FIRST,
        "sed -i 's/^cpuManagerPolicy: static/cpuManagerPolicy: none/' /var/lib/kubelet/config.yaml",
        FIRST,
        ("change", "file", "/var/lib/kubelet/config.yaml"),
    ),
    "the state of the CPU manager": (
        SECOND,
        """sed -i 's/"policyName":"static"/"policyName":"none"/' /var/lib/kubelet/cpu_manager_state""",
        SECOND,
        ("change", "file", "/var/lib/kubelet/cpu_manager_state"),
    ),
    "the node's settings": (FIRST, f"echo 'maxPods: 20' >> {PATCH}", FIRST, ("change", "file", PATCH)),
    "the runtime's configuration": (
        MANAGER,
        "sed -i '/sandbox/d' /etc/containerd/config.toml",
        MANAGER,
        ("change", "file", "/etc/containerd/config.toml"),
    ),
    "a registry mirror": (SECOND, f"sed -i s/mirror.test/mirror.evil/ {MIRROR}", SECOND, ("change", "file", MIRROR)),
    "another image of the same name": (
        SECOND,
        "ctr -n k8s.io images tag --force registry.k8s.io/coredns/coredns:v1.14.2 registry.k8s.io/pause:3.10.2",
        SECOND,
        ("change", "image", "pause"),
    ),
    "an extra taint": (
        MANAGER,
        f"{KUBECTL} taint node {SECOND} owner.test/extra=yes:NoSchedule",
        MANAGER,
        ("remove", "taint", f"{SECOND} owner.test/extra:NoSchedule"),
    ),
    "a removed label": (
        MANAGER,
        f"{KUBECTL} label node {FIRST} gedge.dev/node-class-",
        MANAGER,
        ("create", "label", f"{FIRST} gedge.dev/node-class=ai-worker"),
    ),
    "another label": (
        MANAGER,
        f"{KUBECTL} label --overwrite node {SECOND} gedge.dev/node-class=other",
        MANAGER,
        ("change", "label", f"{SECOND} gedge.dev/node-class=ai-worker"),
    ),
    "a cordon that an interrupted run left": (
        MANAGER,
        f"""{KUBECTL} patch node {MANAGER} --field-manager=gedge-cordon -p '{{"spec": {{"unschedulable": true}}}}'""",
        MANAGER,
        ("uncordon", "node", MANAGER),
    ),
    "an edited DaemonSet": (
        MANAGER,
        f"{KUBECTL} -n kube-flannel set image daemonset/kube-flannel '*=example.invalid/none:1'",
        MANAGER,
        ("change", "DaemonSet", "kube-flannel/kube-flannel"),
    ),
    "an addition to a DaemonSet": (
        MANAGER,
        f"{KUBECTL} -n kube-flannel set env daemonset/kube-flannel ADDED=yes",
        MANAGER,
        ("change", "DaemonSet", "kube-flannel/kube-flannel"),
    ),
    "an addition to a ConfigMap": (
        MANAGER,
        f'{KUBECTL} -n kube-flannel patch configmap kube-flannel-cfg --type=merge -p \'{{"data": {{"added": "1"}}}}\'',
        MANAGER,
        ("change", "ConfigMap", "kube-flannel/kube-flannel-cfg"),
    ),
}
FOLLOWS = {
    ("restart", "unit", "kubelet.service"),
    ("restart", "unit", "containerd.service"),
    ("drain", "node", FIRST),
    ("drain", "node", SECOND),
    ("change", "setting", "what it ran with is not known (drain, new states of both managers)"),
    ("reset", "file", "/var/lib/kubelet/cpu_manager_state"),
    ("reset", "file", "/var/lib/kubelet/memory_manager_state"),
}


@pytest.fixture
def _repaired(lab: LabCluster) -> Iterator[None]:
    """Repair what was done by hand, also where the test failed on the way: the others need the cluster."""
    yield
    lab.gedge("apply", "--kubelet-restart-ok", "--drain-ok")


@pytest.mark.usefixtures("_repaired")
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
    assert {consent["host"] for consent in found["consents"]} == {FIRST, SECOND}
    told = {(change["kind"], change["name"]): change["by"] for host in found["hosts"] for change in host["changes"]}
    assert told["DaemonSet", "kube-flannel/kube-flannel"].startswith("kubectl-set 20")
    assert told["taint", f"{SECOND} owner.test/extra:NoSchedule"].startswith("kubectl-taint 20")
    assert told["label", f"{SECOND} gedge.dev/node-class=ai-worker"].startswith("kubectl-label 20")
    assert told["label", f"{FIRST} gedge.dev/node-class=ai-worker"] == ""  # nobody owns a field that is gone
    result = json.loads(lab.gedge("apply", "--kubelet-restart-ok", "--drain-ok", "--output", "json").stdout)
    assert done(result) == planned(found)
    assert "ADDED" not in lab.kubectl("-n", "kube-flannel", "get", "daemonset", "kube-flannel", "-o", "json")
    settled(lab)
    assert lab.gedge("drift", "--textfile", metrics).stdout.startswith("no drift")
    assert f'gedge_drift_up{{site="{lab.name}"}} 1.0' in metrics.read_text()
    assert "gedge_drift_changes{" not in metrics.read_text()
