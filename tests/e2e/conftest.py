"""The lab's cluster, installed once a session by the commands that users type, and taken down whatever happens."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gedge_provision import lab as lab_room
from gedge_provision.adapters.locations import state_dir
from gedge_provision.models.errors import GedgeError
from gedge_provision.provisioning import kubeconfig_path, load_site

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

# What a host has that an installation could leave behind: files with their content, interfaces, rules, mounts,
# processes, units. Not what every boot and every login changes.
_SNAPSHOT = r"""
prune="-path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /dev -o -path /var/log -o -path /var/cache
  -o -path /var/lib/systemd -o -path /var/lib/private -o -path /root/.ansible -o -path /etc/machine-id"
find / -xdev \( $prune \) -prune -o -type f -printf 'file %p %s %m %T@\n' | sort
find / -xdev \( $prune \) -prune -o -type d -print | sort
for d in /var/lib/kubelet /var/lib/etcd /var/lib/containerd; do find $d | sort; done
ip -br link | awk '{print $1}' | cut -d@ -f1 | sort
ip -4 route
nft --stateless list ruleset
cut -d' ' -f2 /proc/mounts | grep -v '^/run/user\|^/run/credentials\|^/tmp' | sort
ps -eo comm= | grep -v 'sshd\|ps\|sh\|systemd\|sd-pam\|sftp\|find\|sort\|grep\|awk\|cut\|agetty' | sort
sysctl -n net.ipv4.ip_forward
systemctl list-unit-files --no-legend --state=enabled | awk '{print $1}'
"""


# What an owner may have on hosts: a program and a plugin of our names, a firewall rule whose comment sounds like ours,
# and a proxy that the hosts' own API server must not be asked through.
_OWNERS_THINGS = r"""
mkdir -p /opt/cni/bin
echo own > /usr/local/bin/crictl
echo own > /opt/cni/bin/bridge
iptables -A INPUT -p udp --dport 8472 -m comment --comment "FLANNEL from the owner" -j ACCEPT
printf '%s=http://127.0.0.1:9\n' http_proxy https_proxy HTTPS_PROXY >> /etc/environment
"""


# What the lab's own site file does not have.
_MORE = """\
registry_mirrors: {docker.io: [https://mirror.test]}
networks: {test_tools: true}
"""


@dataclass(frozen=True)
class Host:
    """A node of the lab, reached as Ansible reaches it."""

    name: str
    address: str
    key: str
    known_hosts: str

    def run(self, script: str, *, check: bool = True, timeout: float = 120) -> str:
        """Run a shell script on the node and return what it prints."""
        done = subprocess.run(
            [
                *("ssh", "-i", self.key, "-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "BatchMode=yes"),
                *("-o", "ConnectTimeout=10", f"root@{self.address}", "bash -s"),
            ],
            input=script,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, f"{self.name}: {done.stdout}{done.stderr}"
        return done.stdout

    def snapshot(self) -> list[str]:
        """Return the lines that describe everything that an installation could leave behind."""
        return self.run(_SNAPSHOT).splitlines()


@dataclass(frozen=True)
class LabCluster:
    """A lab and the cluster on it."""

    name: str
    site_path: Path

    @property
    def kubeconfig(self) -> Path:
        return kubeconfig_path(load_site(self.site_path))

    @property
    def hosts(self) -> dict[str, Host]:
        site = load_site(self.site_path)
        assert site.ssh.private_key
        assert site.ssh.known_hosts
        return {
            node.name: Host(node.name, str(node.address), site.ssh.private_key, site.ssh.known_hosts)
            for node in site.nodes
        }

    def gedge(self, *words: str | Path, code: int = 0, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a verb of `gedge` on this site and check its exit code."""
        done = run_gedge(*words, "--site", self.site_path, timeout=timeout)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def lab_verb(self, verb: str, *words: str) -> None:
        """Run a verb of `gedge lab` on a node of this lab."""
        done = run_gedge("lab", verb, *words, "--lab", self.name)
        assert done.returncode == 0, done.stdout + done.stderr

    def resize(self, workers: int) -> None:
        """Give the lab another number of workers (and its site file as it was made)."""
        done = run_gedge("lab", "up", "--name", self.name, "--workers", workers)
        assert done.returncode == 0, done.stdout + done.stderr
        self.add_to_site(_MORE)

    def add_to_site(self, text: str) -> None:
        """Append to the site file."""
        self.site_path.write_text(self.site_path.read_text(encoding="utf-8") + text, encoding="utf-8")

    def start_apply(self, *options: str) -> subprocess.Popen[bytes]:
        """Start `gedge apply` and leave it running."""
        return subprocess.Popen(
            [str(BIN / "gedge"), "apply", "--site", str(self.site_path), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def apply(self) -> dict[str, Any]:
        """Apply the site and return the run's result."""
        result: dict[str, Any] = json.loads(self.gedge("apply", "--output", "json").stdout)
        return result

    def plan(self, *options: str | Path) -> dict[str, Any]:
        """Return what an apply would do."""
        plan: dict[str, Any] = json.loads(self.gedge("plan", "--output", "json", *options).stdout)
        return plan

    def playbook(self, name: str, *options: str, env: Mapping[str, str] | None = None) -> str:
        """Run a playbook as a person without `gedge` does, and return what it prints."""
        return self._ansible("ansible-playbook", f"playbooks/{name}.yml", *options, env=env)

    def ad_hoc(self, host: str, module: str) -> str:
        """Run one module on a host, and return what Ansible prints."""
        return self._ansible("ansible", host, "--module-name", module)

    def _ansible(self, program: str, *words: str, env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            [BIN / program, "-i", self.site_path, *words],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def kubectl(self, *words: str, stdin: str = "", host: str = "gedgem01", check: bool = True) -> str:
        """Run kubectl on a control-plane node."""
        script = f"cat > /tmp/stdin <<'END'\n{stdin}\nEND\n" if stdin else ""
        quoted = shlex.join(words)
        feed = " < /tmp/stdin" if stdin else ""
        environment = "NO_PROXY=* KUBECACHEDIR=/tmp/kubectl"
        return self.hosts[host].run(
            f"{script}{environment} kubectl --kubeconfig /etc/kubernetes/admin.conf {quoted}{feed}",
            check=check,
        )


def run_gedge(*words: str | Path | int, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run `gedge` without a terminal."""
    return subprocess.run(
        [str(BIN / "gedge"), *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def _lab_up(name: str, control_planes: int, workers: int) -> LabCluster:
    try:
        lab_room.check_host()
    except GedgeError as error:
        pytest.skip(str(error))
    done = run_gedge(
        "lab", "up", "--name", name, "--control-planes", str(control_planes), "--workers", str(workers), timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    site = next(line.split(": ", 1)[1] for line in done.stdout.splitlines() if line.startswith("site file"))
    return LabCluster(name, Path(site))


def _lab_down(name: str) -> None:
    done = run_gedge("lab", "down", name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lab_room.leftovers(name) == []
    assert not (state_dir() / "sites" / name).exists()


@pytest.fixture(scope="session")
def bare_lab() -> Iterator[LabCluster]:
    """One control-plane node and two workers on which nothing is installed yet (by us; earlier tests may have)."""
    name = f"t{os.getpid()}"
    try:
        cluster = _lab_up(name, 1, 2)
        cluster.add_to_site(_MORE)
        yield cluster
    finally:
        _lab_down(name)


@pytest.fixture(scope="session")
def before(bare_lab: LabCluster) -> dict[str, list[str]]:
    """What the hosts are before anything is installed; they have an owner, who has things there."""
    for host in bare_lab.hosts.values():
        host.run(_OWNERS_THINGS)
    return {name: host.snapshot() for name, host in bare_lab.hosts.items()}


@dataclass(frozen=True)
class Checked:
    """What Ansible's check mode and `gedge plan` said of bare hosts, and what the hosts were afterwards."""

    printed: str
    plan: dict[str, Any]
    after: dict[str, list[str]]


@pytest.fixture(scope="session")
def checked(bare_lab: LabCluster, before: dict[str, list[str]]) -> Checked:
    """Check mode on the bare hosts; whichever test comes first, it is run before they become a cluster."""
    assert before
    printed, plan = bare_lab.playbook("site", "--check", "--diff"), bare_lab.plan()
    return Checked(printed, plan, {name: host.snapshot() for name, host in bare_lab.hosts.items()})


@pytest.fixture(scope="session")
def first_plan(checked: Checked) -> dict[str, Any]:
    """What `gedge plan` said of the bare hosts."""
    return checked.plan


@pytest.fixture(scope="session")
def first_apply(bare_lab: LabCluster, first_plan: dict[str, Any]) -> dict[str, Any]:
    """What the run did that made them a cluster."""
    assert first_plan
    return bare_lab.apply()


@pytest.fixture(scope="session")
def lab(bare_lab: LabCluster, first_apply: dict[str, Any]) -> LabCluster:
    """The lab with its cluster."""
    assert first_apply["status"] == "successful"
    return bare_lab


@pytest.fixture(scope="session")
def balanced_lab() -> Iterator[LabCluster]:
    """Three control-plane nodes behind a virtual address, one worker."""
    name = f"h{os.getpid()}"
    try:
        cluster = _lab_up(name, 3, 1)
        cluster.apply()
        yield cluster
    finally:
        _lab_down(name)


@pytest.fixture(scope="module")
def spoilt() -> Iterator[LabCluster]:
    """A lab for tests that spoil hosts; its user `plain` may not become root."""
    name = f"x{os.getpid()}"
    try:
        cluster = _lab_up(name, 1, 1)
        for host in cluster.hosts.values():
            host.run("useradd -m -s /bin/bash plain")
        yield cluster
    finally:
        _lab_down(name)
