"""The lab's own podman: private storage, settings and locks, so that the user's podman is not touched."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from gedge_provision.adapters.files import write_atomically
from gedge_provision.adapters.locations import cache_dir
from gedge_provision.adapters.processes import CommandError, run

__all__ = ["Container", "Podman"]

LAB_LABEL, NODE_LABEL, ADDRESS_LABEL, MADE_OF_LABEL = "gedge.lab", "gedge.node", "gedge.address", "gedge.made-of"
_LIMIT_S = 120


@dataclass(frozen=True)
class Container:
    """A node's container as podman lists it. `state` is podman's word; `started_at` is in seconds since the epoch."""

    id: str
    name: str
    lab: str
    node: str
    address: str
    made_of: str
    state: str
    started_at: int


@dataclass(frozen=True)
class Podman:
    """A podman with storage of its own.

    Attributes:
        root: where images and containers lie.
        runtime: what must vanish at a reboot.
    """

    root: Path
    runtime: Path

    @classmethod
    def private(cls) -> Podman:
        """Return the podman of this user's labs."""
        root = cache_dir() / "podman"
        return cls(root, Path("/run/gedge-provision") / hashlib.sha256(str(root).encode()).hexdigest()[:8])

    @property
    def exists(self) -> bool:
        """Whether it was ever configured here."""
        return self._conf.is_file()

    @property
    def _conf(self) -> Path:
        return self.root / "containers.conf"

    def configure(self, text: str) -> None:
        """Write its containers.conf."""
        if not self.exists or self._conf.read_text(encoding="utf-8") != text:
            write_atomically(self._conf, text)

    def argv(self, *words: str) -> list[str]:
        """Return the command line of a podman command."""
        return [
            *("podman", "--root", str(self.root / "storage"), "--runroot", str(self.runtime / "storage")),
            *("--tmpdir", str(self.runtime / "libpod"), "--network-config-dir", str(self.networks_folder)),
            *("--storage-driver", "overlay", "--storage-opt", "overlay.skip_mount_home=true"),
            *words,
        ]

    @property
    def _env(self) -> dict[str, str]:
        return {"CONTAINERS_CONF": str(self._conf)}

    def call(self, *words: str, check: bool = True) -> str:
        """Run a podman command in a session of its own, so that ^C does not cut it in half, and return its output."""
        done = run(self.argv(*words), env=self._env, check=False, timeout_s=_LIMIT_S, own_session=True)
        if check and done.returncode != 0:
            raise CommandError(["podman", *words], done.returncode, done.stderr)
        return done.stdout

    def attach(self, *words: str) -> int:
        """Run a podman command on this terminal and return its exit code."""
        return subprocess.run(self.argv(*words), env={**os.environ, **self._env}, check=False).returncode

    def containers(self) -> list[Container]:
        """List the nodes of all labs."""
        if not self.exists:
            return []
        found = []
        for entry in _json(self.call("ps", "--all", "--format", "json")):
            labels = entry.get("Labels") or {}
            if LAB_LABEL in labels:
                found.append(
                    Container(
                        id=entry["Id"],
                        name=entry["Names"][0],
                        lab=labels[LAB_LABEL],
                        node=labels.get(NODE_LABEL, ""),
                        address=labels.get(ADDRESS_LABEL, ""),
                        made_of=labels.get(MADE_OF_LABEL, ""),
                        state=entry["State"],
                        started_at=entry.get("StartedAt", 0),
                    )
                )
        return found

    def half_made(self, prefix: str) -> list[str]:
        """List containers that exist in storage only (their making was cut off) by id, with names that begin so."""
        entries = _json(self.call("ps", "--all", "--external", "--format", "json")) if self.exists else []
        return [
            entry["Id"]
            for entry in entries
            if any(name.startswith(prefix) for name in entry.get("Names") or ()) and not (entry.get("Labels") or {})
        ]

    def remove(self, container: str) -> None:
        """Kill and remove a container; none is fine."""
        self.call("rm", "--force", "--ignore", "--time", "0", "--volumes", container)

    def has_image(self, image: str) -> bool:
        """Tell whether an image is there."""
        argv = self.argv("image", "exists", image)
        return run(argv, env=self._env, check=False, timeout_s=_LIMIT_S).returncode == 0

    def import_tree(self, archive: Path, image: str, work: Path) -> None:
        """Import a tree (tar) as an image; bound to this process, work files in `work`."""
        argv = self.argv("import", "--quiet", str(archive), image)
        run(["setpriv", "--pdeathsig", "KILL", *argv], env=self._env | {"TMPDIR": str(work)}, timeout_s=10 * _LIMIT_S)

    @property
    def networks_folder(self) -> Path:
        """Where its networks are described, a JSON file each."""
        return self.root / "networks"

    def networks(self) -> dict[str, tuple[str, IPv4Network]]:
        """Return the labs that have a network, with their bridge and subnet."""
        found = {}
        for path in sorted(self.networks_folder.glob("*.json")):
            entry = json.loads(path.read_text(encoding="utf-8"))
            lab = (entry.get("labels") or {}).get(LAB_LABEL)
            if lab and entry.get("subnets"):
                subnet = IPv4Network(entry["subnets"][0]["subnet"])
                found[lab] = (entry["network_interface"], subnet)
        return found

    def make_network(self, lab: str, name: str, bridge: str, subnet: IPv4Network, gateway: IPv4Address) -> None:
        """Make an internal network without name service.

        The description is written here, since `podman network create` learned to name the bridge only in 4.5.
        """
        entry = {
            "name": name,
            "id": hashlib.sha256(name.encode()).hexdigest(),
            "driver": "bridge",
            "network_interface": bridge,
            "created": "2000-01-01T00:00:00Z",
            "subnets": [{"subnet": str(subnet), "gateway": str(gateway)}],
            "ipv6_enabled": False,
            "internal": True,
            "dns_enabled": False,
            "labels": {LAB_LABEL: lab},
            "ipam_options": {"driver": "host-local"},
        }
        write_atomically(self.networks_folder / f"{name}.json", json.dumps(entry, indent=2))

    def remove_network(self, name: str) -> None:
        """Remove a network; none is fine."""
        if (self.networks_folder / f"{name}.json").is_file():
            self.call("network", "rm", "--force", name)

    def volumes(self) -> list[str]:
        """List all volumes: labs make none, so each is a leftover."""
        return self.call("volume", "ls", "--quiet").split() if self.exists else []

    def purge(self) -> None:
        """Remove everything: images and settings; all containers must be gone."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.rmtree(self.runtime, ignore_errors=True)


def _json(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text or "[]") or []
    return found
