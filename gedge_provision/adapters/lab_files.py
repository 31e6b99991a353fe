"""The folder of a lab: its keys, the nodes' own keys, and the disks under what Kubernetes writes most."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gedge_provision.adapters.files import write_atomically
from gedge_provision.adapters.locations import state_dir
from gedge_provision.adapters.locks import locked
from gedge_provision.adapters.processes import run
from gedge_provision.models.lab import LabSpec

__all__ = [
    "DATA",
    "host_settings",
    "known_hosts",
    "lab_folder",
    "lab_folders",
    "make_keys",
    "node_folder",
    "node_names",
    "private_key",
    "remove_empty_lab_folder",
    "remove_lab_folder",
    "remove_node_folder",
]

# overlayfs cannot lie on overlayfs, which is what a container's own root is
DATA = ("containerd", "etcd", "kubelet")


def lab_folder(lab: str) -> Path:
    """Return where a lab keeps its state."""
    return state_dir() / "labs" / lab


def lab_folders() -> list[str]:
    """Return the names of labs that have a folder."""
    labs = state_dir() / "labs"
    return sorted(path.name for path in labs.iterdir() if path.is_dir()) if labs.is_dir() else []


@contextmanager
def host_settings() -> Iterator[Path]:
    """Hold what all labs share, and yield where the host's own settings are recorded.

    A lab has its folder before it comes here, so that the last one to leave sees one that has just begun.
    """
    folder = state_dir() / "labs"
    with locked(folder, "the settings of this host"):
        yield folder / "host.json"


def node_folder(lab: str, node: str) -> Path:
    """Return the folder of a node: `ssh/` has its keys; `data/*` of a container is mounted below /var/lib."""
    return lab_folder(lab) / "nodes" / node


def node_names(lab: str) -> list[str]:
    """Return the names of nodes that have a folder."""
    nodes = lab_folder(lab) / "nodes"
    return sorted(path.name for path in nodes.iterdir()) if nodes.is_dir() else []


def private_key(lab: str) -> Path:
    """Return where the client key of a lab lies."""
    return lab_folder(lab) / "id_ed25519"


def known_hosts(lab: str) -> Path:
    """Return where the host keys of a lab's nodes are listed."""
    return lab_folder(lab) / "known_hosts"


def make_keys(spec: LabSpec) -> None:
    """Make what is missing of the lab's client key and the nodes' host keys and folders, and list the nodes' keys."""
    lab_folder(spec.name).chmod(0o700)
    _make_key(spec.private_key, f"gedge-lab-{spec.name}")
    client = spec.private_key.with_suffix(".pub").read_text(encoding="utf-8")
    known = []
    for node in spec.nodes:
        folder = node_folder(spec.name, node.name)
        for name in () if node.hardware else DATA:
            (folder / "data" / name).mkdir(parents=True, exist_ok=True)
        key = folder / "ssh" / "ssh_host_ed25519_key"
        _make_key(key, node.name)
        _write_if_changed(key.parent / "authorized_keys", client)
        kind, public, *_ = key.with_suffix(".pub").read_text(encoding="utf-8").split()
        known.append(f"{node.address} {kind} {public}\n")
    _write_if_changed(spec.known_hosts, "".join(known))


def _make_key(path: Path, comment: str) -> None:
    if path.is_file() and path.with_suffix(".pub").is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def _write_if_changed(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_atomically(path, text)


def remove_node_folder(lab: str, node: str) -> None:
    """Remove a node's keys and data."""
    shutil.rmtree(node_folder(lab, node), ignore_errors=True)


def remove_lab_folder(lab: str) -> None:
    """Remove everything that a lab keeps."""
    shutil.rmtree(lab_folder(lab), ignore_errors=True)


def remove_empty_lab_folder(lab: str) -> None:
    """Remove the folder of a lab that keeps nothing there yet."""
    with suppress(OSError):
        lab_folder(lab).rmdir()
