"""A lab and the cluster on it, handled by the commands that users type: what the e2e and hardware tiers share."""

from __future__ import annotations

import difflib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gedge_provision import lab as lab_room
from gedge_provision.adapters.locations import state_dir
from gedge_provision.models.errors import GedgeError
from gedge_provision.provisioning import kubeconfig_path, load_site

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

# A verb that takes longer hangs; emulated nodes take their time on a machine that does other things too.
_LIMIT_S = 1800

# What a host has that an installation could leave behind: files with their content, interfaces, rules, mounts,
# processes, units. Not what every boot and every login changes, nor the kernel's threads.
_SNAPSHOT = r"""
prune="-path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /dev -o -path /var/log -o -path /var/cache
  -o -path /var/lib/systemd -o -path /var/lib/private -o -path /root/.ansible -o -path /etc/machine-id"
find / -xdev \( $prune \) -prune -o -type f -printf 'file %p %s %m %T@\n' | sort
find / -xdev \( $prune \) -prune -o -type d -print | sort
for d in /var/lib/kubelet /var/lib/etcd /var/lib/containerd; do find $d | sort; done
ip -br link | awk '{print $1}' | cut -d@ -f1 | sort
ip -4 route
nft --stateless list ruleset
cut -d' ' -f2 /proc/mounts | grep -v '^/run/user\|^/run/credentials\|^/tmp\|^/var/lib/gedge/store$' | sort
ps -eo comm=,stat=,args= | awk '$3 !~ /^\[/ || $2 ~ /^Z/ {print $1}' \
  | grep -v 'sshd\|ps\|sh\|systemd\|sd-pam\|sftp\|find\|sort\|grep\|awk\|cut\|agetty\|sleep\|udev' | sort
sysctl -n net.ipv4.ip_forward
systemctl list-unit-files --no-legend --state=enabled | awk '{print $1}'
"""


# What the lab's own site file does not have.
MORE = """\
registry_mirrors: {docker.io: [https://mirror.test]}
networks: {test_tools: true}
kubernetes: {metrics_server: true}
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

    def gedge(self, *words: str | Path, code: int = 0, timeout: float = _LIMIT_S) -> subprocess.CompletedProcess[str]:
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
        self.add_to_site(MORE)

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

    def playbook(self, name: str, *options: str, env: Mapping[str, str] | None = None, code: int = 0) -> str:
        """Run a playbook as a person without `gedge` does, and return what it prints."""
        return self._ansible("ansible-playbook", f"playbooks/{name}.yml", *options, env=env, code=code)

    def ad_hoc(self, host: str, module: str) -> str:
        """Run one module on a host, and return what Ansible prints."""
        return self._ansible("ansible", host, "--module-name", module)

    def _ansible(self, program: str, *words: str, env: Mapping[str, str] | None = None, code: int = 0) -> str:
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
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def kubectl(
        self, *words: str, stdin: str = "", host: str = "gedgem01", check: bool = True, timeout: float = 120
    ) -> str:
        """Run kubectl on a control-plane node."""
        script = f"cat > /tmp/stdin <<'END'\n{stdin}\nEND\n" if stdin else ""
        quoted = shlex.join(words)
        feed = " < /tmp/stdin" if stdin else ""
        environment = "NO_PROXY=* KUBECACHEDIR=/tmp/kubectl"
        return self.hosts[host].run(
            f"{script}{environment} kubectl --kubeconfig /etc/kubernetes/admin.conf {quoted}{feed}",
            check=check,
            timeout=timeout,
        )


def run_gedge(*words: str | Path | int, timeout: float = _LIMIT_S) -> subprocess.CompletedProcess[str]:
    """Run `gedge` without a terminal."""
    return subprocess.run(
        [str(BIN / "gedge"), *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def bring_up(*words: str | Path | int, emulated: bool = False) -> str:
    """Make a lab, and return what `gedge lab up` prints; where this machine cannot carry one, the test is skipped."""
    try:
        lab_room.check_host(emulated=emulated)
    except GedgeError as error:
        pytest.skip(str(error))
    done = run_gedge("lab", "up", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lab_up(name: str, *words: str | int) -> LabCluster:
    """Make a lab of that name; where this machine cannot carry one, the test is skipped, with the reason."""
    printed = bring_up("--name", name, *words)
    site = next(line.split(": ", 1)[1] for line in printed.splitlines() if line.startswith("site file"))
    return LabCluster(name, Path(site))


def lab_down(name: str) -> None:
    """Remove a lab, and check that nothing of it stays."""
    done = run_gedge("lab", "down", name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lab_room.leftovers(name) == []
    assert not (state_dir() / "sites" / name).exists()


def changes(before: list[str], after: list[str]) -> list[str]:
    """Return what differs between two snapshots of a host, line by line."""
    return [line for line in difflib.unified_diff(before, after, lineterm="", n=0) if line[:1] in "+-"][2:]


def planned(plan: dict[str, Any]) -> dict[str, list[tuple[str, str, str]]]:
    """Return what a plan announces, by host: action, kind and name of each change."""
    return {host["host"]: [_words(change) for change in host["changes"]] for host in plan["hosts"]}


def done(result: dict[str, Any]) -> dict[str, list[tuple[str, str, str]]]:
    """Return what a run did, in the words of its plan."""
    return {host: [_words(change) for change in changes] for host, changes in result["changes"].items()}


def _words(change: dict[str, str]) -> tuple[str, str, str]:
    return change["action"], change["kind"], change["name"]
