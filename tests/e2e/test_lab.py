"""The lab on this machine: really makes nodes, under names of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gedge_provision import lab
from gedge_provision.adapters.host_traces import processes_in, processes_naming, remember_host, restore_host
from gedge_provision.adapters.lab_files import lab_folder
from gedge_provision.adapters.podman import Podman
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.lab import network_name
from gedge_provision.planning.lab_nodes import container_prefix

pytestmark = [pytest.mark.e2e, pytest.mark.own_lab]

GEDGE = str(Path(sys.executable).with_name("gedge"))
UP = [GEDGE, "lab", "up", "--control-planes", "1", "--workers", "1", "--name"]


@pytest.fixture(scope="module", autouse=True)
def _host_can_have_labs() -> None:
    try:
        lab.check_host()
    except GedgeError as error:
        pytest.skip(str(error))


def gedge(*words: str, code: int = 0) -> str:
    done = subprocess.run([GEDGE, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def name() -> Iterator[str]:
    chosen = f"e2e-{os.getpid()}"
    yield chosen
    gedge("lab", "down", chosen)
    assert lab.leftovers(chosen) == []


def nodes(name: str) -> dict[str, dict[str, object]]:
    return {node["node"]: node for node in json.loads(gedge("lab", "status", name, "-o", "json"))}


def test_life_of_a_lab(name: str) -> None:
    printed = gedge(*UP[1:], name)
    site = next(line.split(": ")[1] for line in printed.splitlines() if line.startswith("site file"))
    key, known = Path(site).with_name("id_ed25519"), Path(site).with_name("known_hosts")
    assert key.stat().st_mode & 0o777 == 0o600
    found = nodes(name)
    assert {node: entry["state"] for node, entry in found.items()} == {"gedgem01": "running", "gedgew01": "running"}

    # A host to everyone: host key checked, systemd up, its own address, the other node in reach, nothing else.
    address, other = found["gedgem01"]["address"], found["gedgew01"]["address"]
    ssh = ["ssh", "-F", "none", "-i", str(key), "-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes"]
    ssh += ["-o", "StrictHostKeyChecking=yes", f"root@{address}"]
    question = (
        f"hostname; systemctl is-system-running; ping -qc1 -W2 {other} >&2 && echo near; "
        "ping -qc1 -W2 192.0.2.77 >&2 || echo alone; findmnt -no FSTYPE /var/lib/containerd; cat /etc/machine-id"
    )
    done = subprocess.run([*ssh, question], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    answer = done.stdout.split()
    assert answer[:4] == ["gedgem01", "running", "near", "alone"]
    assert answer[4] != "overlay"
    other_id = gedge("lab", "shell", "gedgew01", "--lab", name, "--", "cat", "/etc/machine-id").strip()
    assert len(other_id) == 32
    assert other_id != answer[5]
    assert "Reached target" in gedge("lab", "logs", "gedgem01", "--lab", name)

    again = gedge(*UP[1:], name)
    assert "done" not in again
    assert again.count("unchanged") == 3

    # Heals what is stopped and what is missing, and leaves the rest alone.
    gedge("lab", "shell", "gedgem01", "--lab", name, "--", "touch", "/var/lib/etcd/mark")
    gedge("lab", "stop", "gedgem01", "--kill", "--lab", name)
    assert nodes(name)["gedgem01"]["state"] == "stopped"
    gedge(*UP[1:], name)
    gedge("lab", "shell", "gedgem01", "--lab", name, "--", "test", "-e", "/var/lib/etcd/mark")
    assert nodes(name)["gedgew01"]["container_id"] == found["gedgew01"]["container_id"]

    left = lab.leftovers(name)
    for kind in ("container", "network", "interface", "firewall", "process", "cgroup", "folder"):
        assert any(line.startswith(kind) for line in left), f"the check does not see a {kind}"
    gedge("lab", "down", name)
    assert lab.leftovers(name) == []
    assert name not in lab.labs()


def test_other_size_and_other_labs(name: str) -> None:
    neighbour = f"{name}-b"
    try:
        gedge(*UP[1:], name)
        gedge(*UP[1:], neighbour)
        before = nodes(neighbour)
        gedge("lab", "up", "--name", name, "--workers", "2")
        assert set(nodes(name)) == {"gedgem01", "gedgew01", "gedgew02"}
        gedge("lab", "up", "--name", name, "--workers", "0")
        assert set(nodes(name)) == {"gedgem01"}
        gedge("lab", "down", name)
        after = nodes(neighbour)
        assert {node["container_id"] for node in before.values()} == {node["container_id"] for node in after.values()}
        assert {node["state"] for node in after.values()} == {"running"}
    finally:
        gedge("lab", "down", neighbour)
    assert lab.leftovers(neighbour) == []


MOMENTS: dict[str, Callable[[str], object]] = {
    "its folder": lambda name: lab_folder(name).exists(),
    "its site file": lambda name: (lab_folder(name) / "site.yml").exists(),
    "its network": lambda name: name in Podman.private().networks(),
    "its keys": lambda name: (lab_folder(name) / "known_hosts").exists(),
    "a podman call": lambda name: processes_naming(container_prefix(name)),
    "a running node": lambda name: processes_in(network_name(name)),
}


def stop_at(name: str, moment: str, stop: signal.Signals) -> tuple[int, str]:
    """Begin to make a lab, and send a signal to its process group (as a terminal does) once it has come so far."""
    with subprocess.Popen([*UP, name], start_new_session=True, stderr=subprocess.STDOUT, stdout=subprocess.PIPE) as up:
        while not MOMENTS[moment](name):
            assert up.poll() is None, f"the lab was up before it had {moment}"
        os.killpg(up.pid, stop)
        output = up.communicate()[0].decode()
    return up.returncode, output


@pytest.mark.parametrize("moment", MOMENTS)
def test_interrupt_leaves_nothing(name: str, moment: str) -> None:
    code, output = stop_at(name, moment, signal.SIGINT)
    assert code == 130, output
    assert lab.leftovers(name) == [], output


@pytest.mark.parametrize("moment", MOMENTS)
def test_down_after_kill_leaves_nothing(name: str, moment: str) -> None:
    stop_at(name, moment, signal.SIGKILL)
    gedge("lab", "down", name)
    assert lab.leftovers(name) == []


def test_up_after_kill_heals(name: str) -> None:
    stop_at(name, "a running node", signal.SIGKILL)
    gedge(*UP[1:], name)
    assert {node["state"] for node in nodes(name).values()} == {"running"}


def test_wrong_input_changes_nothing(name: str, tmp_path: Path) -> None:
    assert "1, 3 or 5" in gedge("lab", "up", "--name", name, "--control-planes", "2", code=2)
    assert "use --name" in gedge("lab", "up", "--workers", "5", code=2)
    assert "no name for a lab" in gedge("lab", "up", "--name", "No_Name", code=2)
    site = tmp_path / "site.yml"
    site.write_text(
        f"name: {name}\nlab: {{subnet: 10.89.254.0/24}}\nnodes:\n"
        "  - {name: n1, address: 10.89.254.5, roles: [control_plane]}\n"
    )
    holder = f"x{os.getpid()}"
    subprocess.run(["ip", "link", "add", holder, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "address", "add", "10.89.254.1/24", "dev", holder], check=True)
        assert f"on interface {holder}" in gedge("lab", "up", str(site), code=2)
    finally:
        subprocess.run(["ip", "link", "delete", holder], check=True)
    assert "no lab" in gedge("lab", "shell", "n1", "--lab", name, code=2)
    assert lab.leftovers(name) == []


def test_host_settings_are_set_back(tmp_path: Path) -> None:
    setting = Path("/proc/sys/fs/inotify/max_user_instances")
    record, before = tmp_path / "host.json", setting.read_text()
    remember_host(record)
    try:
        setting.write_text(str(int(before) + 1))
        remember_host(record)  # by a second lab: must not record what the first has changed
        restore_host(record)
        assert setting.read_text() == before
        assert not record.exists()
    finally:
        setting.write_text(before)
