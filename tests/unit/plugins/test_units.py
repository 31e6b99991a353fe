"""Units that come and go with their files, with a `systemctl` that keeps what it is told in a folder."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible.modules import find

from plugins.module_utils import host_state
from plugins.modules import managed_files, network_look, preflight

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files of root are written: run the tests as root")

UNIT = "gedge-test.service"
SYSTEMCTL = """#!/bin/sh
echo "$*" >> {folder}/calls
[ -e {folder}/silent ] && {{ echo no answer >&2; exit 1; }}
case "$1 $2" in
  show*) [ -e {folder}/active ] && echo ActiveState=active || echo ActiveState=inactive
         [ -e {folder}/enabled ] && echo UnitFileState=enabled || echo UnitFileState=disabled;;
  "disable --now") [ -e {folder}/stuck ] && {{ echo is stuck >&2; exit 1; }}; rm -f {folder}/active {folder}/enabled;;
  enable*) touch {folder}/enabled;;
  start*) touch {folder}/active;;
esac
"""
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "systemd"
    folder.mkdir()
    (folder / "systemctl").write_text(SYSTEMCTL.format(folder=folder), encoding="utf-8")
    (folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(host_state, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(host_state, "LOCK_FILE", str(tmp_path / "lock"))
    monkeypatch.setattr(managed_files, "UNIT_FOLDERS", (f"{folder}/",))
    return folder


@pytest.fixture
def run(systemd: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(state: str, *, check: bool = False, text: str = "[Service]\n") -> dict[str, Any]:
        present = state == "started"
        file = {"path": str(systemd / UNIT), "content": text, "state": "present" if present else "absent"}
        arguments = {
            "files": [file | {"restarts": False}],
            "units": [{"name": UNIT, "state": state}],
            "_ansible_check_mode": check,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            managed_files.main()
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return call


def done(result: dict[str, Any]) -> list[str]:
    assert not result.get("failed"), result["msg"]
    return [f"{one['action']} {one['kind']} {one['name']}" for one in result["objects"]]


def calls(systemd: Path) -> list[str]:
    lines = (systemd / "calls").read_text().splitlines()
    (systemd / "calls").unlink()
    return [line for line in lines if not line.startswith("show")]


def test_a_unit_comes_and_goes_with_its_file(run: Run, systemd: Path, tmp_path: Path) -> None:
    path = systemd / UNIT
    coming = [f"create file {path}", f"enable unit {UNIT}", f"start unit {UNIT}"]
    assert done(run("started", check=True)) == coming
    assert calls(systemd) == []
    assert done(run("started")) == coming
    assert calls(systemd) == ["daemon-reload", f"enable {UNIT}", f"start {UNIT}"]
    assert done(run("started")) == []
    going = [f"disable unit {UNIT}", f"remove file {path}"]
    assert done(run("absent", check=True)) == going
    assert path.exists()
    calls(systemd)
    assert done(run("absent")) == going
    assert calls(systemd) == [f"disable --now {UNIT}", "daemon-reload", f"reset-failed {UNIT}"]
    assert not path.exists()
    assert not (tmp_path / "state").exists()
    assert done(run("absent")) == []
    assert calls(systemd) == []


def test_another_text_does_not_restart_what_keeps_its_state_in_memory(run: Run, systemd: Path) -> None:
    run("started")
    calls(systemd)
    assert done(run("started", text="[Service]\nUMask=0077\n")) == [f"change file {systemd / UNIT}"]
    assert calls(systemd) == ["daemon-reload"]


def test_a_unit_that_does_not_stop_keeps_its_file(run: Run, systemd: Path) -> None:
    run("started")
    (systemd / "stuck").touch()
    found = run("absent")
    assert found["failed"]
    assert found["msg"] == f"{UNIT} cannot be stopped: is stuck -> journalctl -u {UNIT}"
    assert (systemd / UNIT).exists()


def test_a_unit_of_which_nothing_is_known_keeps_its_file(run: Run, systemd: Path) -> None:
    run("started")
    (systemd / "silent").touch()
    found = run("absent")
    assert found["failed"]
    assert found["msg"].startswith(f"systemd does not tell of {UNIT}: no answer -> see: systemctl is-system-running")
    assert (systemd / UNIT).exists()


def test_another_dhcp_daemon_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dhcp.sock"
    monkeypatch.setattr(preflight, "DHCP_SOCKET", str(path))
    asked = ["default/leased"]
    assert list(preflight.dhcp_problems(asked, {"cni_dhcp": False})) == []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert not network_look.answers(str(path))
        server.listen()
        assert network_look.answers(str(path))
        (problem,) = preflight.dhcp_problems(asked, {"cni_dhcp": False})
        assert problem.startswith("attachment default/leased takes addresses from a DHCP server, and another daemon")
        assert "-> stop it" in problem
        assert list(preflight.dhcp_problems([], {"cni_dhcp": False})) == []
        assert list(preflight.dhcp_problems(asked, {"cni_dhcp": True})) == []
    assert not network_look.answers(str(path))


# As Multus 4.3 writes it (its types, by Go's encoding/json).
POD_OF_DHCP = (
    '[{"Conf":{"cniVersion":"0.3.1","ipam":{"type":"dhcp"},"name":"leased","type":"macvlan"},"ConfList":{},"Name":""}]'
)
POD_OF_CHAIN = (
    '[{"Conf":{"ipam":{}},"ConfList":{"cniVersion":"0.3.1","name":"l","plugins":[{"ipam":{"type":"dhcp"},'
    '"type":"macvlan"},{"ipam":{},"type":"tuning"}]},"Name":""}]'
)


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        (POD_OF_DHCP, 1),
        (POD_OF_CHAIN, 1),
        (POD_OF_DHCP.replace('{"type":"dhcp"}', '{"type":"static"}').replace("leased", "dhcp"), 0),
    ],
)
def test_pods_with_an_address_from_a_server_are_known_by_what_multus_keeps(
    kept: str, found: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the role's task: unless it reads the file as a whole, Ansible's `find` looks at the beginnings of lines."""
    (tmp_path / "pod").write_text(kept, encoding="utf-8")
    role = Path(__file__).parents[3] / "roles/cni_dhcp"
    sign = yaml.safe_load((role / "vars/main.yml").read_text(encoding="utf-8"))["__cni_dhcp_sign"]
    look = yaml.safe_load((role / "tasks/main.yml").read_text(encoding="utf-8"))[0]["ansible.builtin.find"]
    with patch_module_args(look | {"paths": str(tmp_path), "contains": sign}), pytest.raises(SystemExit):
        find.main()
    assert json.loads(capsys.readouterr().out)["matched"] == found
