"""A lab with two nodes of emulated hardware, installed once a session."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab_cluster import ROOT, LabCluster, bring_up, lab_down

from gedge_provision.adapters.host_network import address_holders
from gedge_provision.adapters.locations import state_dir
from gedge_provision.planning.lab import free_subnet

_ACCELERATION = ("sriov",)
_NAME = f"q{os.getpid()}"
_SITE = ROOT / "inventories/emulated-pair/site.yml"
_ONE_NODE = ROOT / "inventories/emulated/site.yml"


@dataclass(frozen=True)
class EmulatedLab(LabCluster):
    """A lab whose nodes gedgew01 and gedgew02 are emulated hardware."""

    promised: dict[str, Any]
    """The site as the inventory has it, in this lab's name and range."""

    def write(self, site: dict[str, Any]) -> None:
        """Make a site the lab's."""
        self.site_path.write_text(yaml.safe_dump(site, sort_keys=False), encoding="utf-8")

    def without_acceleration(self) -> dict[str, Any]:
        """Return the site without virtual functions and secondary networks."""
        site = {key: value for key, value in self.promised.items() if key != "networks"}
        classes = {
            name: {key: value for key, value in one.items() if key not in _ACCELERATION}
            for name, one in self.promised["node_classes"].items()
        }
        return site | {"node_classes": classes}

    def snapshot(self) -> dict[str, list[str]]:
        """Return what each host has, network cards and modules included."""
        return {name: self.state_of(name) for name in self.promised["lab"]["emulated"]}

    def configured(self) -> dict[str, list[str]]:
        """Return what a run configures on each host: devices, and files with the time of their last change.

        Not what changes by itself while a cluster runs: files of pods and of the runtime, processes.
        """
        return {name: [line for line in lines if _CONFIGURED.match(line)] for name, lines in self.snapshot().items()}

    def state_of(self, name: str) -> list[str]:
        """Return what one host has."""
        host = self.hosts[name]
        return host.snapshot() + host.run(_HARDWARE).splitlines()


_CONFIGURED = re.compile(r"(pci|link|module) |(file )?/(etc|opt|usr)/|[0-9a-f]{64} ")

# Functions, their drivers and settings; links with their addresses (a queue stays once a link was up); rules that name
# devices; modules, but for those that the kernel loads for Kubernetes, its networks and the lab's store: they stay
# until it boots.
_HARDWARE = r"""
for device in /sys/bus/pci/devices/*; do
  printf 'pci %s %s' "${device##*/}" "$(basename "$(readlink "$device/driver" || echo none)")"
  for part in numa_node sriov_numvfs sriov_drivers_autoprobe driver_override; do
    [ -e "$device/$part" ] && printf ' %s=%s' "$part" "$(cat "$device/$part")"
  done
  echo
done
for card in enp65s0 enp129s0; do
  ip -d -o link show dev "$card" | sed 's/ qlen [0-9]*//; s/ qdisc [a-z]*//; s/^[0-9]*:/link/'
done
kept='^(9p|br_netfilter|bridge|ip6_udp_tunnel|llc|macvlan|nf_|nft_|overlay|stp|udp_tunnel|veth|vxlan|xt_)'
cut -d' ' -f1 /proc/modules | grep -Ev "$kept" | sed 's/^/module /' | sort
find /etc/udev /etc/modprobe.d /etc/modules-load.d -type f -exec sha256sum {} + | sort
"""


def _subnet(name: str) -> str:
    return str(free_subnet(name, address_holders(but=frozenset())))


@contextmanager
def _emulated(name: str, promised: dict[str, Any], folder: Path) -> Iterator[EmulatedLab]:
    """Make a lab of a site, in a range of its own, and take it down at the end."""
    old, new = promised["lab"]["subnet"], _subnet(name)
    promised = json.loads(json.dumps(promised).replace(_prefix(old), _prefix(new)))
    promised["name"] = name
    keys = state_dir() / "labs" / name
    promised["ssh"] = {"private_key": str(keys / "id_ed25519"), "known_hosts": str(keys / "known_hosts")}
    path = folder / "site.yml"
    lab = EmulatedLab(name, path, promised)
    lab.write(promised)
    try:
        bring_up(path, emulated=True)
        yield lab
    finally:
        lab_down(name)


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedLab]:
    """The lab before anything is installed."""
    # By JSON: classes that are one by an alias in YAML are changed one by one.
    promised = yaml.safe_load(_SITE.read_text(encoding="utf-8"))
    with _emulated(_NAME, promised, tmp_path_factory.mktemp("site")) as lab:
        yield lab


@pytest.fixture(scope="module")
def one_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedLab]:
    """A lab of its own with one emulated node, before anything is installed."""
    promised = yaml.safe_load(_ONE_NODE.read_text(encoding="utf-8"))
    promised["nodes"] = [node for node in promised["nodes"] if node["name"] != "gedgew02"]
    promised["networks"]["attachments"] = promised["networks"]["attachments"][:1]
    promised["node_classes"]["emulated-worker"]["sriov"][0]["vfs"] = 2
    with _emulated(f"one{os.getpid()}", promised, tmp_path_factory.mktemp("site")) as lab:
        yield lab


def _prefix(subnet: str) -> str:
    return subnet.rsplit(".", 1)[0] + "."


@pytest.fixture(scope="session")
def bare_state(bare: EmulatedLab) -> dict[str, list[str]]:
    """What the emulated nodes are before anything is installed."""
    return bare.snapshot()


@pytest.fixture(scope="session")
def lab(bare: EmulatedLab, bare_state: dict[str, list[str]]) -> EmulatedLab:
    """The lab as the site file promises it."""
    assert bare_state
    bare.apply()
    return bare
