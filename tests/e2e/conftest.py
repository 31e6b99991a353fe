"""The lab's cluster, installed once a session by the commands that users type, and taken down whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from lab_cluster import MORE, LabCluster, lab_down, lab_up

# What an owner may have on hosts: a program and a plugin of our names, a firewall rule whose comment sounds like ours,
# and a proxy that the hosts' own API server must not be asked through.
_OWNERS_THINGS = r"""
mkdir -p /opt/cni/bin
echo own > /usr/local/bin/crictl
echo own > /opt/cni/bin/bridge
iptables -A INPUT -p udp --dport 8472 -m comment --comment "FLANNEL from the owner" -j ACCEPT
printf '%s=http://127.0.0.1:9\n' http_proxy https_proxy HTTPS_PROXY >> /etc/environment
"""


@pytest.fixture(scope="session")
def bare_lab() -> Iterator[LabCluster]:
    """One control-plane node and two workers on which nothing is installed yet (by us; earlier tests may have)."""
    name = f"t{os.getpid()}"
    try:
        cluster = lab_up(name)
        cluster.add_to_site(MORE)
        yield cluster
    finally:
        lab_down(name)


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
        cluster = lab_up(name, "--control-planes", 3, "--workers", 1)
        cluster.apply()
        yield cluster
    finally:
        lab_down(name)


@pytest.fixture(scope="module")
def spoilt() -> Iterator[LabCluster]:
    """A lab for tests that spoil hosts; its user `plain` may not become root."""
    name = f"x{os.getpid()}"
    try:
        cluster = lab_up(name, "--workers", 1)
        for host in cluster.hosts.values():
            host.run("useradd -m -s /bin/bash plain")
        yield cluster
    finally:
        lab_down(name)
