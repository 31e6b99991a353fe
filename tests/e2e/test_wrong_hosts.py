"""Hosts that cannot become nodes: each is named with what to do, before anything is changed on any host."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from lab_cluster import Host, LabCluster

pytestmark = [pytest.mark.e2e, pytest.mark.own_lab]

BIN = Path(sys.executable).parent
OURS = "ls -d /usr/local/bin/* /opt/cni /etc/containerd /etc/sysctl.d/90-gedge.conf /var/lib/gedge/*.json 2>&-; true"


@pytest.fixture(scope="module")
def untouched(spoilt: LabCluster) -> dict[str, list[str]]:
    return {name: host.snapshot() for name, host in spoilt.hosts.items()}


@pytest.fixture
def worker(spoilt: LabCluster, untouched: dict[str, list[str]]) -> Host:
    assert untouched
    return spoilt.hosts["gedgew01"]


@pytest.fixture(autouse=True)
def _own_connections(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep ssh from going on over a connection that was made with the right key."""
    monkeypatch.setenv("ANSIBLE_SSH_CONTROL_PATH_DIR", str(tmp_path_factory.mktemp("s")))


def spoil(site: Path, target: Path, change: Callable[[dict], None]) -> Path:  # type: ignore[type-arg]
    """Write a copy of a site file with a change."""
    data = yaml.safe_load(site.read_text(encoding="utf-8"))
    change(data)
    target.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return target


def refused(cluster: LabCluster, site: Path, code: int = 1) -> str:
    """Apply a site that must fail, on one screen and before any host is changed, and return what is said."""
    done = subprocess.run(
        [BIN / "gedge", "apply", "--site", site],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == code, output
    assert len(output.splitlines()) < 24, output
    assert "Traceback" not in output
    assert "Task failed" not in output
    assert "-> " in output
    for host in cluster.hosts.values():
        assert not host.run(OURS).strip(), f"{host.name} was changed"
    return output


def node(data: dict, name: str) -> dict:  # type: ignore[type-arg]
    found: dict = next(entry for entry in data["nodes"] if entry["name"] == name)  # type: ignore[type-arg]
    return found


SSH_CASES = {
    "user": (lambda data: data["ssh"].update(user="nobody1", become=True), "does not let nobody1 in", "ssh.user"),
    "port": (lambda data: data["ssh"].update(port=2222), "nothing listens on SSH port 2222", "correct ssh.port"),
    "name": (
        lambda data: node(data, "gedgew01").update(ssh_host="nosuch.invalid"),
        "the name nosuch.invalid has no address",
        "correct ssh_host",
    ),
    "sudo password": (
        lambda data: data["ssh"].update(user="plain", become=True),
        "sudo asks for a password",
        "NOPASSWD",
    ),
}


@pytest.mark.parametrize("case", SSH_CASES)
@pytest.mark.usefixtures("worker")
def test_a_login_that_fails(spoilt: LabCluster, tmp_path: Path, case: str) -> None:
    change, said, remedy = SSH_CASES[case]
    output = refused(spoilt, spoil(spoilt.site_path, tmp_path / "site.yml", change))
    assert said in output
    assert remedy in output.split(said)[1]
    assert "gedgew01: Reach hosts" in output


@pytest.mark.usefixtures("worker")
def test_a_key_that_the_hosts_do_not_know(spoilt: LabCluster, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    site = spoil(spoilt.site_path, tmp_path / "site.yml", lambda data: data["ssh"].update(private_key=str(key)))
    output = refused(spoilt, site)
    assert "gedgem01, gedgew01: Reach hosts" in output
    assert output.count("SSH does not let root in (publickey)") == 1


@pytest.mark.usefixtures("worker")
def test_a_host_key_that_has_changed(spoilt: LabCluster, worker: Host, tmp_path: Path) -> None:
    lines = Path(worker.known_hosts).read_text(encoding="utf-8").splitlines()
    other = next(line.split()[2] for line in lines if not line.startswith(worker.address))
    known = tmp_path / "known_hosts"
    known.write_text(
        "".join(
            f"{line.rsplit(' ', 1)[0]} {other}\n" if line.startswith(worker.address) else line + "\n" for line in lines
        ),
        encoding="utf-8",
    )
    site = spoil(spoilt.site_path, tmp_path / "site.yml", lambda data: data["ssh"].update(known_hosts=str(known)))
    output = refused(spoilt, site)
    assert f"the host answers with another SSH key than {known} has for it" in output
    assert f"ssh-keygen -f {known} -R {worker.address}" in output
    assert "gedgem01: Reach hosts" not in output

    known.write_text("", encoding="utf-8")
    output = refused(spoilt, site)  # the connection to the other host, which was good, may still be open
    assert "gedgew01: Reach hosts" in output
    assert "the host's SSH key is not known here" in output


# On the worker: what spoils it, what mends it, what is said.
PROGRAM_CASES = {
    "no sudo": ("mv /usr/bin/sudo /var/sudo", "mv /var/sudo /usr/bin/sudo", "sudo is missing on the host"),
    "no shell": ("usermod -s /usr/sbin/nologin plain", "usermod -s /bin/bash plain", "login shell takes no commands"),
    "no Python": (
        "mkdir /var/off && mv /usr/bin/python3* /var/off/",
        "mv /var/off/* /usr/bin/ && rmdir /var/off",
        "Python 3 is missing on the host",
    ),
}


@pytest.mark.parametrize("case", PROGRAM_CASES)
def test_a_program_that_is_missing(spoilt: LabCluster, worker: Host, tmp_path: Path, case: str) -> None:
    broken, mended, said = PROGRAM_CASES[case]
    user = {"user": "root"} if case == "no Python" else {"user": "plain", "become": True}
    site = spoil(spoilt.site_path, tmp_path / "site.yml", lambda data: data["ssh"].update(user))
    worker.run(broken)
    try:
        output = refused(spoilt, site)
    finally:
        worker.run(mended)
    assert said in output


@pytest.fixture(scope="module")
def unfit(spoilt: LabCluster, untouched: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said of a worker on which many things are wrong at once, and of a control plane with one port taken."""
    assert untouched
    hosts = spoilt.hosts
    listen = "systemd-run -q --unit wrong-{0} python3 -m http.server {0} && timeout 9 bash -c "
    listen += "'until ss -ltn | grep -q :{0}; do sleep .1; done'\n"
    hosts["gedgem01"].run(listen.format(6443))
    hosts["gedgew01"].run(
        listen.format(10250)
        + """
        mount -t tmpfs -o size=1m none /usr/local/bin
        mkdir /etc/kubernetes && touch /etc/kubernetes/kubelet.conf
        mv /etc/os-release /etc/os-release.off
        printf 'ID=plan9\\nVERSION_ID=4\\n' > /etc/os-release
        """
    )

    def change(data: dict) -> None:  # type: ignore[type-arg]
        entry = node(data, "gedgew01")
        entry.update(ssh_host=entry["address"], address=entry["address"].rpartition(".")[0] + ".99")

    try:
        return refused(spoilt, spoil(spoilt.site_path, tmp_path_factory.mktemp("unfit") / "site.yml", change))
    finally:
        hosts["gedgem01"].run("systemctl stop wrong-6443")
        hosts["gedgew01"].run(
            """
            systemctl stop wrong-10250
            umount /usr/local/bin
            rm -r /etc/kubernetes
            mv /etc/os-release.off /etc/os-release
            """
        )


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("port 6443 is taken by python3, kube-apiserver needs it", "stop python3 or move it"),
        ("port 10250 is taken by python3, kubelet needs it", "stop python3 or move it"),
        ("1 MiB free at /usr/local/bin, needed are 700", "free space there"),
        ("/etc/kubernetes/kubelet.conf shows that another installer", "remove that cluster first"),
        ("the distribution plan9 4 is not known", "use one of debian-12"),
        (".99", "correct the node's address"),
    ],
)
def test_an_unfit_host_is_told_everything_at_once(unfit: str, said: str, remedy: str) -> None:
    assert said in unfit
    assert remedy in unfit.split(said, 1)[1].splitlines()[1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ('{"architectures": ["aarch64"]}', "the architecture is x86_64, the artifacts are for aarch64 -> use such"),
        (
            '{"kernel_modules": {"nosuch": "/proc/nosuch"}}',
            "the kernel lacks nosuch (/proc/nosuch) -> install the kernel",
        ),
        ('{"min_cpus": 4096}', "CPUs, needed are 4096 -> use a larger host"),
        ('{"min_memory_mib": 99999999}', "MiB of memory, needed are 99999999 -> use a larger host"),
    ],
)
@pytest.mark.usefixtures("worker")
def test_what_a_lab_node_cannot_be_is_asked_of_the_module(spoilt: LabCluster, asked: str, said: str) -> None:
    """The nodes share this machine's processor and kernel: the request is strange here, not the host."""
    done = subprocess.run(
        [BIN / "ansible", "-i", spoilt.site_path, "gedgew01", "-m", "preflight", "-a", asked],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert said in " ".join(done.stdout.split())


def test_nothing_of_all_this_has_changed_a_host(spoilt: LabCluster, untouched: dict[str, list[str]]) -> None:
    for name, host in spoilt.hosts.items():
        # usermod writes these again, with the same content; which cgroup files are mounted over is the
        # container runtime's affair, and differs after a restart
        ours = ("/etc/passwd", "/etc/shadow", "/etc/.pwd.lock")
        before, after = (
            {line for line in lines if not line.startswith("/sys/fs/cgroup") and not any(f" {p}" in line for p in ours)}
            for lines in (untouched[name], host.snapshot())
        )
        assert sorted(before ^ after) == [], name


def test_a_host_that_is_off(spoilt: LabCluster, worker: Host) -> None:
    subprocess.run([BIN / "gedge", "lab", "stop", "--lab", spoilt.name, worker.name], check=True, capture_output=True)
    try:
        done = subprocess.run(
            [BIN / "gedge", "apply", "--site", spoilt.site_path],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        subprocess.run([BIN / "gedge", "lab", "start", "--lab", spoilt.name, worker.name], check=True)
        deadline = time.monotonic() + 60
        while worker.run("echo up", check=False) != "up\n":
            assert time.monotonic() < deadline, "the node does not come back"
            time.sleep(0.5)
    assert done.returncode == 1
    assert "gedgew01: Reach hosts" in done.stderr
    assert "nothing is changed without every host of a site that is not installed yet" in " ".join(done.stderr.split())
    assert "the host does not answer" in done.stderr
    assert "-> switch it on, or correct its address" in done.stderr
    assert not spoilt.hosts["gedgem01"].run(OURS).strip()


def test_a_host_alone_does_not_join_a_cluster_that_is_not_there(spoilt: LabCluster) -> None:
    done = spoilt.gedge("apply", "--only", "gedgew01", "--output", "json", code=1)
    assert "gedgem01 has not started the cluster" in done.stderr
    result = json.loads(done.stdout)
    assert (result["status"], result["changes"]) == ("failed", {})
    assert [failure["phase"] for failure in result["failures"]] == ["Check hosts"]


def test_a_file_that_is_not_what_its_digest_says(spoilt: LabCluster, worker: Host, tmp_path: Path) -> None:
    """A damaged store on a host (USB disk, NFS): the file is named and gets no place in the system."""
    real = yaml.safe_load(spoilt.site_path.read_text(encoding="utf-8"))["artifacts"]["host_path"]
    done = subprocess.run(
        [BIN / "gedge", "artifacts", "list", "-o", "json"], capture_output=True, text=True, check=True
    )
    digest = next(entry["sha256"] for entry in yaml.safe_load(done.stdout) if entry["name"] == "runc")
    for host in spoilt.hosts.values():
        host.run(
            f"""
            mkdir -p /var/damaged/blobs/sha256
            ln -s {real}/blobs/sha256/* /var/damaged/blobs/sha256/
            """
        )
    worker.run(f"cd /var/damaged/blobs/sha256 && rm {digest} && head -c 99999 /dev/urandom > {digest}")
    site = spoil(
        spoilt.site_path, tmp_path / "site.yml", lambda data: data["artifacts"].update(host_path="/var/damaged")
    )
    failed = subprocess.run(
        [BIN / "gedge", "apply", "--site", site, "--only", "gedgew01,artifacts"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert failed.returncode == 1
    assert f"runc: the digest of /var/damaged/blobs/sha256/{digest} is" in failed.stderr
    assert "gedge artifacts verify" in failed.stderr
    assert not worker.run("ls /usr/local/bin/runc /usr/local/bin/.gedge-* 2>&-; true").strip()
    assert not spoilt.hosts["gedgem01"].run(OURS).strip()


def _alive(site: Path) -> list[str]:
    """Return the command lines of Ansible's processes, workers included, that work on a site."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if str(site) in words and any(word.endswith("ansible-playbook") for word in words):
            found.append(" ".join(words))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_ended_run_leaves_no_process(spoilt: LabCluster, number: signal.Signals) -> None:
    with subprocess.Popen(
        [BIN / "gedge", "apply", "--site", spoilt.site_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if "Check hosts" in line:
                break
        time.sleep(1)  # into the first task that works on the hosts
        assert _alive(spoilt.site_path)
        process.send_signal(number)
        began = time.monotonic()
        _, errors = process.communicate(timeout=15)
        while _alive(spoilt.site_path) and time.monotonic() - began < 10:
            time.sleep(0.1)
    assert _alive(spoilt.site_path) == []
    assert time.monotonic() - began < 10
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert "interrupted" in errors
        assert "go on: gedge resume" in errors
