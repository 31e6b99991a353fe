"""A task that waits shows what for, through the action plugin, Ansible, ansible-runner and the reporter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gedge_provision.adapters import ansible
from gedge_provision.adapters.locations import content_dir
from gedge_provision.models.runs import RunResult

PLUGIN = content_dir() / "plugins" / "action" / "gpu_stack.py"
DRIVER, NODE = "nvidia-driver-daemonset", "gedgew01"
TASK = "Wait until its stack is validated"
PLAY = f"""\
- name: Install the GPU operator
  hosts: all
  gather_facts: false
  tasks:
    - name: {TASK}
      gpu_stack: {{namespace: gpu-operator, timeout_s: SECONDS}}
"""
# One look asks three times or more; the last question of a look is for GPUClusters.
KUBECTL = """\
#!/bin/sh
look=$(cat FOLDER/look)
case "$*" in *gpuclusters*) echo $((look + 1)) > FOLDER/look; exit 0;; esac
[ -e FOLDER/$look ] || look=last
[ -s FOLDER/$look ] || { echo $((look + 1)) > FOLDER/look; echo 'connection refused' >&2; exit 1; }
case "$*" in *"get nodes"*) cat FOLDER/$look;; esac
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


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *looks: str, seconds: int = 60) -> tuple[RunResult, list[str]]:
    """Run the plugin by a playbook against a kubectl that tells these looks, one after the other."""
    plugins = folder / "plugins"
    plugins.mkdir()
    text = PLUGIN.read_text(encoding="utf-8")
    for known, other in (("/usr/local/bin/kubectl", f"{folder}/kubectl"), ("INTERVAL_S = 5", "INTERVAL_S = 0.05")):
        assert known in text
        text = text.replace(known, other)
    (plugins / PLUGIN.name).write_text(text, encoding="utf-8")
    (folder / "ansible.cfg").write_text(
        f"[defaults]\naction_plugins = {plugins}\nlibrary = {content_dir() / 'plugins' / 'modules'}\n", encoding="utf-8"
    )
    (folder / "playbooks").mkdir()
    (folder / "playbooks" / "wait.yml").write_text(PLAY.replace("SECONDS", str(seconds)), encoding="utf-8")
    (folder / "hosts").write_text("m1 ansible_connection=local\n", encoding="utf-8")
    (folder / "look").write_text("0", encoding="utf-8")
    for number, look in enumerate(looks):
        (folder / str(number)).write_text(look, encoding="utf-8")
    (folder / "last").write_text(looks[-1], encoding="utf-8")
    program = folder / "kubectl"
    program.write_text(KUBECTL.replace("FOLDER", str(folder)), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(ansible, "content_dir", lambda: folder)
    seen = Seen()
    (folder / "run").mkdir()
    result = ansible.run_playbook("wait", folder / "hosts", folder / "run", seen)
    details = [detail.removeprefix(f"{TASK}  ") for detail in seen.details]
    return result, [detail for detail in details if detail not in ("", "m1")]  # those name the host that is at work


def test_what_it_waits_for_is_shown_while_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, seen = run(tmp_path, monkeypatch, looked(""), "", looked("yes"), looked("yes"), looked(None))
    assert result.status == "successful"
    assert seen == [
        f"0 of 1 nodes validated, {DRIVER} on {NODE}: its container is not made yet; the image may still be on its way",
        "the API server does not answer: connection refused",
        f"0 of 1 nodes validated, {DRIVER} on {NODE}: the driver is compiled and loaded",
    ]
    assert f"waits: {seen[2]}" in result.log.read_text(encoding="utf-8")


def test_an_end_that_does_not_come_is_told_with_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, seen = run(tmp_path, monkeypatch, looked("yes"), seconds=1)
    assert result.status == "failed"
    assert len(seen) == 1
    assert "the GPU operator's stack is not validated after 1 s:" in result.failures[0].message
    assert f"{DRIVER} on {NODE}: it waits for another part" in result.failures[0].message


def test_an_api_server_that_never_answers_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = run(tmp_path, monkeypatch, "")
    assert result.failures[0].message == "kubectl: connection refused"
