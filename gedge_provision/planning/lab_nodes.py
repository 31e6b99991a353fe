"""How a node's container is made."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gedge_provision.models.lab import LabNode, LabSpec, NodeState, network_name

__all__ = ["container_name", "container_prefix", "made_of", "node_arguments", "node_state"]

_STATES: dict[str, NodeState] = {"running": "running", "exited": "stopped", "stopped": "stopped", "created": "stopped"}


def container_prefix(lab: str) -> str:
    """Return what the names of a lab's containers begin with; the dot keeps labs `a` and `a-b` apart."""
    return f"{network_name(lab)}."


def container_name(lab: str, node: str) -> str:
    """Return the name of a node's container."""
    return container_prefix(lab) + node


def node_state(podman_state: str) -> NodeState:
    """Translate podman's word for the state of a container; one it cannot start or stop any more is broken."""
    return _STATES.get(podman_state, "broken")


def made_of(spec: LabSpec, node: LabNode, store: Path) -> str:
    """Return a digest of what a lab's site file decides about a node when it is made, beside its address."""
    kind = node.hardware.model_dump_json() if node.hardware else spec.base
    facts = [kind, *([] if spec.store_at is None else [str(store), spec.store_at])]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def node_arguments(  # noqa: PLR0913 - each is an independent fact
    spec: LabSpec,
    node: LabNode,
    *,
    image: str,
    folder: Path,
    data: tuple[str, ...],
    store: Path,
    modules: bool,
) -> list[str]:
    """Return the arguments of `podman run` that make a container a host: systemd, its own address, disks and keys.

    Args:
        spec: the lab.
        node: the node.
        image: base image.
        folder: the node's folder (`ssh/`, `data/*`).
        data: folders of /var/lib that lie on the host's file system.
        store: the artifact store of the host.
        modules: whether the host has kernel modules that the node may load.
    """
    labels = {
        "gedge.lab": spec.name,
        "gedge.node": node.name,
        "gedge.address": str(node.address),
        "gedge.made-of": made_of(spec, node, store),
    }
    volumes = [f"{folder / 'ssh'}:/etc/gedge-lab:ro", *(f"{folder / 'data' / name}:/var/lib/{name}" for name in data)]
    if spec.store_at is not None:
        volumes.append(f"{store}:{spec.store_at}:ro")
    if modules:
        volumes.append("/lib/modules:/lib/modules:ro")
    return [
        *("run", "--detach", "--name", container_name(spec.name, node.name), "--hostname", node.name),
        *("--privileged", "--cgroupns=private", f"--cgroup-parent=/{network_name(spec.name)}"),
        # What podman's --systemd would set, but for one thing: on cgroup v1 that mounts the host's whole systemd
        # hierarchy into every node, and the nodes' systemds then take away one another's groups.
        *("--systemd=false", "--env", "container=podman", "--stop-signal", "SIGRTMIN+3"),
        *("--network", network_name(spec.name), "--ip", str(node.address)),
        # Nobody answers there, so that looking up a name fails at once instead of after a time-out.
        *("--dns", str(spec.gateway), "--env", f"GEDGE_LAB_GATEWAY={spec.gateway}"),
        *("--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp", "--log-opt", "max-size=1mb"),  # noqa: S108 - the node's own
        *(word for key, value in labels.items() for word in ("--label", f"{key}={value}")),
        *(word for volume in volumes for word in ("--volume", volume)),
        *(image, "/sbin/init"),
    ]
