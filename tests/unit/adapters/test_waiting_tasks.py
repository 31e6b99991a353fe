"""A task that waits shows what for, through the action plugin, Ansible, ansible-runner and the reporter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gedge_provision.adapters import ansible
from gedge_provision.adapters.locations import content_dir

PLUGIN = content_dir() / "plugins" / "action" / "gpu_stack.py"
DRIVER, NODE = "nvidia-driver-daemonset", "gedgew01"
TASK = "Wait until its stack is validated"
PLAY = f"""\
- name: Install the GPU operator
  hosts: all
  gather_facts: false
  tasks:
    - name: {TASK}
      gpu_stack: {{namespace: gpu-operator, timeout_s: "{{{{ seconds }}}}", kubeconfig: "{{{{ folder }}}}"}}
"""
# It is told a folder of looks instead of a kubeconfig. A look asks three times or more, at last for GPUClusters.
KUBECTL = """\
#!/bin/sh
folder=$2
look=$(cat $folder/look)
case "$*" in *gpuclusters*) echo $((look + 1)) > $folder/look; exit 0;; esac
[ -e $folder/$look ] || look=last
[ -s $folder/$look ] || { echo $((look + 1)) > $folder/look; echo 'connection refused' >&2; exit 1; }
case "$*" in *"get nodes"*) cat $folder/$look;; esac
"""


class Seen:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.details: list[str] = []

    def start(self, name: str) -> None:
        pass

    def update(self, name: str, detail: str) -> None:
        assert name == "Install the GPU operator"
        self.details.append(detail)

    def finish(self, name: str, outcome: str = "done", detail: str = "") -> None:
        pass

    def note(self, text: str) -> None:
        pass


def looked(running: str | None) -> str:
    """Return what the cluster has: a driver's pod that is made, that runs, or (empty) a stack that is well."""
    gpus = "0" if running is not None else "1"
    state = {"running": {}} if running else {"waiting": {"reason": "ContainerCreating"}}
    status = {"conditions": [{"type": "Ready", "status": str(running is None)}], "containerStatuses": []}
    status["containerStatuses"] = [{"name": "c", "state": state}]
    labels = {"nvidia.com/gpu.present": "true"}
    owner = {"kind": "DaemonSet", "name": DRIVER}
    items: list[dict[str, Any]] = [
        {
            "kind": "Node",
            "metadata": {"name": NODE, "labels": labels},
            "spec": {},
            "status": {"allocatable": {"nvidia.com/gpu": gpus}},
        },
        {"kind": "DaemonSet", "metadata": {"name": DRIVER}, "spec": {"template": {"spec": {}}}},
        {
            "kind": "Pod",
            "metadata": {"name": "driver-1", "ownerReferences": [owner]},
            "spec": {"nodeName": NODE},
            "status": status,
        },
    ]
    return json.dumps({"items": items})


def host(folder: Path, name: str, *looks: str, seconds: int) -> str:
    """Return the inventory's line of a host whose kubectl tells these looks, one after the other."""
    own = folder / name
    own.mkdir()
    (own / "look").write_text("0", encoding="utf-8")
    for number, look in enumerate(looks):
        (own / str(number)).write_text(look, encoding="utf-8")
    (own / "last").write_text(looks[-1], encoding="utf-8")
    return f"{name} ansible_connection=local folder={own} seconds={seconds}\n"


def test_a_wait_tells_what_for_and_how_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On three hosts, since what takes time is the start of Ansible."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    text = PLUGIN.read_text(encoding="utf-8")
    for known, other in (("/usr/local/bin/kubectl", f"{tmp_path}/kubectl"), ("INTERVAL_S = 5", "INTERVAL_S = 0.05")):
        assert known in text
        text = text.replace(known, other)
    (plugins / PLUGIN.name).write_text(text, encoding="utf-8")
    modules = content_dir() / "plugins" / "modules"
    (tmp_path / "ansible.cfg").write_text(
        f"[defaults]\naction_plugins = {plugins}\nlibrary = {modules}\n", encoding="utf-8"
    )
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "wait.yml").write_text(PLAY, encoding="utf-8")
    (tmp_path / "kubectl").write_text(KUBECTL, encoding="utf-8")
    (tmp_path / "kubectl").chmod(0o755)
    hosts = [
        host(tmp_path, "well", looked(""), "", looked("yes"), looked("yes"), looked(None), seconds=60),
        host(tmp_path, "late", looked("yes"), seconds=1),
        host(tmp_path, "away", "", seconds=60),
    ]
    (tmp_path / "hosts").write_text("".join(hosts), encoding="utf-8")
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(ansible, "content_dir", lambda: tmp_path)
    seen = Seen()
    result = ansible.run_playbook("wait", tmp_path / "hosts", tmp_path / "run", seen)

    made, runs, silent = (
        f"0 of 1 nodes validated, {DRIVER} on {NODE}: its container is not made yet; the image may still be on its way",
        f"0 of 1 nodes validated, {DRIVER} on {NODE}: the driver is compiled and loaded",
        "the API server does not answer: connection refused",
    )
    told = [detail.removeprefix(f"{TASK}  ") for detail in seen.details]
    assert (told.count(made), told.count(silent)) == (1, 1)
    # Of the host that is late too, where its first look does not take the whole second that it has.
    assert told.count(runs) in {1, 2}
    assert f"waits: {runs}" in result.log.read_text(encoding="utf-8")
    failed = {failure.host: failure.message for failure in result.failures}
    assert set(failed) == {"late", "away"}
    assert "the GPU operator's stack is not validated after 1 s:" in failed["late"]
    assert f"{DRIVER} on {NODE}: it waits for another part" in failed["late"]
    assert failed["away"] == "kubectl: connection refused"
