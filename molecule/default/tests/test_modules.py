"""Our modules on a node: create, re-create, modify, re-modify, delete, delete-missing, each in check mode first.

Modules without a `state` have what a person did in place of deleting. `node_reset` has its own turn at the scenario's
end (molecule/shared/tasks/reset.yml).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Cluster
    from testinfra.host import Host

testinfra_hosts = ["ansible://first"]

PAUSE = "registry.k8s.io/pause:3.10.2"
KUBECTL = "KUBECACHEDIR=/run/gedge/kubectl kubectl --kubeconfig /etc/kubernetes/admin.conf"


@dataclass(frozen=True)
class Step:
    """One use of a module: what it is asked for, whether that changes something, and what the host then shows."""

    name: str
    arguments: Mapping[str, Any]
    changes: bool
    shows: str
    beforehand: str = ""  # what a person did to the host


def play(
    tasks: Sequence[Mapping[str, Any]], folder: Path, first: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Run tasks on the control-plane node in one play and return their results; failures are results too."""
    results = folder / "results.json"
    numbered = [{**task, "register": f"result{n}", "ignore_errors": True} for n, task in enumerate(tasks)]
    names = ", ".join(f"result{n}" for n in range(len(tasks)))
    report = {
        "ansible.builtin.copy": {"dest": str(results), "content": f"{{{{ [{names}] | to_json }}}}", "mode": "0600"},
        "delegate_to": "localhost",
    }
    playbook = folder / "play.yml"
    book = [{"hosts": "first", "gather_facts": False, "tasks": [*first, *numbered, report]}]
    playbook.write_text(json.dumps(book), encoding="utf-8")
    done = subprocess.run(
        ["ansible-playbook", "-i", os.environ["GEDGE_MOLECULE_INVENTORY"], playbook],
        capture_output=True,
        text=True,
        check=False,
    )
    assert results.is_file(), done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))
    return found


def walk(module: str, probe: str, steps: Sequence[Step], folder: Path) -> None:
    """Take a module through its steps; the probe (a shell command) tells what the host shows."""
    look = {"ansible.builtin.shell": {"cmd": probe}, "changed_when": False}
    tasks: list[Mapping[str, Any]] = [look]
    for step in steps:
        call = {module: dict(step.arguments)}
        by_hand = [{"ansible.builtin.shell": {"cmd": step.beforehand}}, look] if step.beforehand else []
        tasks += [*by_hand, {**call, "check_mode": True}, look, call, look]
    results = iter(play(tasks, folder))
    before = next(results)["stdout"]
    for step in steps:
        if step.beforehand:
            assert not next(results)["failed"], step.beforehand
            before = next(results)["stdout"]
        checked, after_check, ran, after = (next(results) for _ in range(4))
        for result in (checked, ran):
            assert not result.get("failed"), (step.name, result)
            assert result["changed"] is step.changes, (step.name, result)
        assert after_check["stdout"] == before, f"{step.name}: check mode changed the host"
        assert after["stdout"] == step.shows, step.name
        before = after["stdout"]


def test_managed_files(tmp_path: Path) -> None:
    path = "/etc/gedge-test/a.conf"
    one = {"files": [{"path": path, "content": "one\n"}]}
    two = {"files": [{"path": path, "content": "two\n", "mode": "0600"}]}
    none = {"files": [{"path": path, "state": "absent"}]}
    steps = [
        Step("create", one, changes=True, shows="one\n644"),
        Step("re-create", one, changes=False, shows="one\n644"),
        Step("modify", two, changes=True, shows="two\n600"),
        Step("re-modify", two, changes=False, shows="two\n600"),
        Step("touched by a person", two, changes=True, shows="two\n600", beforehand=f"chmod 644 {path}"),
        Step("delete", none, changes=True, shows="none"),
        Step("delete what is missing", none, changes=False, shows="none"),
    ]
    walk("managed_files", f"cat {path} 2>/dev/null && stat -c %a {path} || echo none", steps, tmp_path)


def test_managed_files_on_hold_are_compared_only(tmp_path: Path) -> None:
    path = "/etc/gedge-test/held.conf"
    held = {"managed_files": {"files": [{"path": path, "content": "new\n", "hold": True}]}}
    made = {"managed_files": {"files": [{"path": path, "content": "new\n"}]}}
    gone = {"managed_files": {"files": [{"path": path, "state": "absent"}]}}
    checked, left, _, same, _ = play([{**held, "check_mode": True}, held, made, held, gone], tmp_path)
    assert (checked["changed"], checked["held"]) == (False, [{"path": path, "before": ""}])
    assert (left["changed"], left["held"], left["objects"]) == (False, [{"path": path, "before": ""}], [])
    assert (same["changed"], same["held"]) == (False, [])


def test_managed_files_keep_their_units_running(host: Host, tmp_path: Path) -> None:
    unit, path = "gedge-test.service", "/etc/systemd/system/gedge-test.service"

    def sleeping(seconds: int) -> dict[str, Any]:
        content = f"[Service]\nExecStart=/usr/bin/sleep {seconds}\n[Install]\nWantedBy=multi-user.target\n"
        return {"files": [{"path": path, "content": content}], "units": [{"name": unit}]}

    pid = f"$(systemctl show --property=MainPID --value {unit})"
    show = f"tr '\\0' ' ' < /proc/{pid}/cmdline; systemctl is-enabled {unit} 2>/dev/null || true"
    first, second = "/usr/bin/sleep 7001 enabled", "/usr/bin/sleep 7002 enabled"
    steps = [
        Step("create", sleeping(7001), changes=True, shows=first),
        Step("re-create", sleeping(7001), changes=False, shows=first),
        Step("modify", sleeping(7002), changes=True, shows=second),
        Step("re-modify", sleeping(7002), changes=False, shows=second),
        Step("stopped by a person", sleeping(7002), changes=True, shows=second, beforehand=f"systemctl stop {unit}"),
        Step(
            "disabled by a person", sleeping(7002), changes=True, shows=second, beforehand=f"systemctl disable {unit}"
        ),
    ]
    try:
        walk("managed_files", f"if [ {pid} != 0 ]; then {show}; else echo none; fi", steps, tmp_path)
    finally:
        host.run(f"systemctl disable --now {unit}")


def test_host_settings(tmp_path: Path) -> None:
    setting = "net.ipv4.ip_local_reserved_ports"
    one, two = {"sysctls": {setting: "30100"}}, {"sysctls": {setting: "30200"}}
    by_hand = f"sysctl -qw {setting}=30300"
    steps = [
        Step("create", one, changes=True, shows="30100"),
        Step("re-create", one, changes=False, shows="30100"),
        Step("modify", two, changes=True, shows="30200"),
        Step("re-modify", two, changes=False, shows="30200"),
        Step("set by a person", two, changes=True, shows="30200", beforehand=by_hand),
        Step("ask for nothing", {}, changes=False, shows="30200"),
    ]
    walk("host_settings", f"sysctl -n {setting}", steps, tmp_path)


def test_artifacts(host: Host, tmp_path: Path) -> None:
    known = {item["name"]: item for item in host.ansible.get_variables()["artifacts_items"]}
    path = "/usr/local/bin/gedge-test"

    def item(name: str) -> dict[str, Any]:
        return {"items": [{**known[name], "target": path}]}

    one, two = (f"{known[name]['sha256']}  {path}" for name in ("loopback", "tuning"))
    spoil = f"printf x | dd of={path} bs=1 seek=5000 conv=notrunc status=none"
    steps = [
        Step("create", item("loopback"), changes=True, shows=one),
        Step("re-create", item("loopback"), changes=False, shows=one),
        Step("modify", item("tuning"), changes=True, shows=two),
        Step("re-modify", item("tuning"), changes=False, shows=two),
        Step("touched, not changed", item("tuning"), changes=False, shows=two, beforehand=f"touch {path}"),
        Step("changed by a person", item("tuning"), changes=True, shows=two, beforehand=spoil),
        Step("deleted by a person", item("tuning"), changes=True, shows=two, beforehand=f"rm {path}"),
    ]
    walk("artifacts", f"sha256sum {path} 2>/dev/null || echo none", steps, tmp_path)


def test_artifact_images(host: Host, tmp_path: Path) -> None:
    known = {item["name"]: item for item in host.ansible.get_variables()["artifacts_items"]}
    image = known["echoserver"]
    arguments = {"items": [image], "host_path": "/var/lib/gedge/store"}
    others = {"items": [item for item in known.values() if item["name"] != "echoserver"], "take_back": True}
    remove = f"ctr -n k8s.io images remove {image['target']}"
    steps = [
        Step("re-create", arguments, changes=False, shows=image["target"]),
        Step("deleted by a person", arguments, changes=True, shows=image["target"], beforehand=remove),
        Step("not needed any more", others, changes=True, shows="none"),
        Step("still not needed", others, changes=False, shows="none"),
        Step("needed again", arguments, changes=True, shows=image["target"]),
    ]
    # Also under the name that containerd gives it for Kubernetes, its digest, which by itself is told too.
    digest = host.check_output(f"ctr -n k8s.io images list | awk '$1 == \"{image['target']}\" {{print $3}}'")
    names = f"ctr -n k8s.io images list | grep -F {digest} | cut -d' ' -f1"
    walk("artifacts", f"{names} | grep -Fx {image['target']} || {names} | grep . || echo none", steps, tmp_path)


def test_an_archive_without_the_image_it_promises(host: Host, tmp_path: Path) -> None:
    known = {item["name"]: item for item in host.ansible.get_variables()["artifacts_items"]}
    arguments = {"items": [{**known["pause"], "target": "example.com/none:1"}], "host_path": "/var/lib/gedge/store"}
    (result,) = play([{"artifacts": arguments}], tmp_path)
    assert result["failed"]
    assert "the archive of pause holds no image example.com/none:1 -> build it again" in result["msg"]


def test_kube_apply(cluster: Cluster, tmp_path: Path) -> None:
    def manifest(value: str) -> dict[str, Any]:
        meta = {"name": "gedge-test", "namespace": "default"}
        return {
            "manifests": json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": value}})
        }

    get = f"{KUBECTL} get configmap gedge-test --ignore-not-found -o jsonpath={{.data.a}}"
    patch = f'{KUBECTL} patch configmap gedge-test --type merge -p \'{{"data": {{"a": "three"}}}}\''
    steps = [
        Step("create", manifest("one"), changes=True, shows="one"),
        Step("re-create", manifest("one"), changes=False, shows="one"),
        Step("modify", manifest("two"), changes=True, shows="two"),
        Step("re-modify", manifest("two"), changes=False, shows="two"),
        Step("changed by a person", manifest("two"), changes=True, shows="two", beforehand=patch),
        Step(
            "deleted by a person",
            manifest("two"),
            changes=True,
            shows="two",
            beforehand=f"{KUBECTL} delete configmap gedge-test",
        ),
    ]
    try:
        walk("kube_apply", get, steps, tmp_path)
    finally:
        cluster.kubectl("delete", "configmap", "gedge-test", "--ignore-not-found")


def test_pod_network(tmp_path: Path) -> None:
    path = "/etc/gedge-test/net.conflist"

    def network(mtu: int) -> dict[str, Any]:
        return {"node_name": "first", "pod_network": "10.244.0.0/16", "mtu": mtu, "path": path}

    tell = (
        "import json, sys; p = json.load(sys.stdin)['plugins'][0]; print(p['mtu'], p['ipam']['ranges'][0][0]['subnet'])"
    )
    steps = [
        Step("create", network(1450), changes=True, shows="1450 10.244.0.0/24"),
        Step("re-create", network(1450), changes=False, shows="1450 10.244.0.0/24"),
        Step("modify", network(1400), changes=True, shows="1400 10.244.0.0/24"),
        Step("re-modify", network(1400), changes=False, shows="1400 10.244.0.0/24"),
        Step("deleted by a person", network(1400), changes=True, shows="1400 10.244.0.0/24", beforehand=f"rm {path}"),
    ]
    walk("pod_network", f'[ ! -e {path} ] || python3 -c "{tell}" < {path}', steps, tmp_path)


def test_refusals_on_a_running_cluster(tmp_path: Path) -> None:
    """What only a cluster can refuse: each in our own words."""
    manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: Not_A_Name}}"
    verify = [
        ({"name": "third"}, "third is not ready after 1 s: no such node"),
        ({"name": "first", "kubelet": {"maxPods": 7}}, "first: maxPods runs as 110, asked for is 7"),
        ({"name": "first", "version": "v1.0.0"}, "the kubelet is v1.36.4, asked for is v1.0.0"),
        ({"name": "first", "labels": {"a": "b"}}, "first: label a is None, asked for is b"),
    ]
    tasks: list[dict[str, Any]] = [{"cluster_verify": {"nodes": [node], "timeout_s": 1}} for node, _ in verify]
    tasks += [
        {"kube_apply": {"manifests": manifest}},
        {"pod_network": {"node_name": "third", "pod_network": "10.244.0.0/16", "mtu": 1450, "timeout_s": 2}},
        {"managed_files": {"files": [], "units": [{"name": "no-such.service"}]}},
        {"managed_files": {"files": [{"path": "/proc/none/a", "content": "a"}]}},
        {"node_probe": {"node": "first", "image": "no-such-image:1", "timeout_s": 5, "remedy": "bring the image"}},
        {"node_probe": {"node": "third", "image": PAUSE}},
    ]
    says = [text for _, text in verify]
    says += [
        "Not_A_Name",
        "node third has no pod range after 2 s",
        "no-such.service cannot be brought to enable",
        "/proc/none/a cannot be written",
        "first runs no pods: ErrImageNeverPull",
        'nodes \\"third\\" not found',
    ]
    for result, text in zip(play(tasks, tmp_path), says, strict=True):
        assert result["failed"], (text, result)
        assert text in result["msg"]


def test_a_probe_runs_and_leaves_nothing(host: Host, tmp_path: Path) -> None:
    checked, probed, again = play(
        [
            {"node_probe": {"node": "first", "image": PAUSE}, "check_mode": True},
            *({"node_probe": {"node": "first", "image": PAUSE, "cpus": cpus}} for cpus in (0, 99)),
        ],
        tmp_path,
    )
    assert (checked["changed"], "seconds" in checked) == (False, False)
    for found in (probed, again):  # a node without 99 free CPUs is tried all the same
        assert (found["changed"], found["owned"]) == (False, 0), found
        assert found["seconds"] > 0
    assert "gedge-probe" not in host.run(f"{KUBECTL} get pods -A").stdout


def test_a_changed_kubelet_setting_waits_for_consent(cluster: Cluster, tmp_path: Path) -> None:
    task = {"ansible.builtin.include_role": {"name": "kubelet"}, "vars": {"kubelet_config": {"maxPods": 33}}}
    refused = {"ansible.builtin.set_fact": {"said": "{{ ansible_failed_result.msg }}"}}
    (result,) = play(
        [{"ansible.builtin.debug": {"var": "said"}}], tmp_path, first=[{"block": [task], "rescue": [refused]}]
    )
    assert "maxPods from unset to 33 (under pods); the change restarts its kubelet under its pods" in result["said"]
    assert "-e kubelet_restart_ok=true" in result["said"]
    assert cluster.running_kubelet("first")["maxPods"] == 110
