"""RDMA links of type rxe in the network namespace of a pod, by the command `rdma` of iproute2."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

from errors import CniError

__all__ = ["add", "check", "check_node", "link_name", "remove", "supported"]

_FIRST_KERNEL = (7, 1)
_DEVICES = Path("/sys/class/infiniband")
_SECONDS = 60  # an emulated node is slow

# By what nsenter and rdma say; the first that fits.
_REMEDIES = {
    "nsenter: cannot open": "the pod's network namespace is gone",
    "nsenter:": "install iproute2 on the node",
    "File exists": "the interface has a link already; soft-rdma stands in a list of plugins once",
    "NETLINK_RDMA": "load the kernel module rdma_rxe on the node",
    "not supported": "load the kernel module rdma_rxe on the node",
}

_NOT_AVAILABLE = 50  # of the specification: the plugin cannot serve ADD
_FAILED = 100


class NotEnteredError(CniError):
    """`rdma` was not started in the namespace of the pod."""


def link_name(container: str, interface: str) -> str:
    """Return the name of a link: names are of the whole node, unless RDMA namespaces are exclusive."""
    return "rxe_" + hashlib.sha256(f"{container}/{interface}".encode()).hexdigest()[:10]


def supported(release: str) -> bool:
    """Tell whether a kernel has rxe per network namespace; before, links in pods exist but carry nothing."""
    version = re.match(r"(\d+)\.(\d+)", release)
    return version is not None and (int(version[1]), int(version[2])) >= _FIRST_KERNEL


def check_node() -> None:
    """Check that links can be made on this node.

    Raises:
        CniError: they cannot.
    """
    release = os.uname().release
    if not supported(release):
        raise CniError(
            _NOT_AVAILABLE,
            f"software RDMA inside pods needs Linux {'.'.join(map(str, _FIRST_KERNEL))}, this node runs {release}",
            "upgrade the kernel, or use it in pods on the host's network",
        )


def add(namespace: str, name: str, interface: str) -> None:
    """Make a link on an interface.

    Raises:
        CniError: the kernel refuses it, or the command is missing.
    """
    _rdma(namespace, "link", "add", name, "type", "rxe", "netdev", interface)


def check(namespace: str, name: str) -> None:
    """Check that a link is there.

    Raises:
        CniError: it is not.
    """
    if name not in _names(namespace):
        raise CniError(
            _FAILED, f"the RDMA link {name} of the pod is gone", "delete the pod; its successor gets a new one"
        )


def remove(namespace: str, name: str) -> None:
    """Remove a link; one that is not there is no error.

    Raises:
        CniError: the kernel keeps it.
    """
    if not namespace or not _DEVICES.exists():  # without RDMA in the kernel there never was a link
        return
    try:
        names = _names(namespace)
    except NotEnteredError:  # a link goes with its namespace
        return
    if name in names:
        _rdma(namespace, "link", "delete", name)


def _names(namespace: str) -> list[str]:
    return [str(link["ifname"]) for link in json.loads(_rdma(namespace, "--json", "link") or "[]")]


def _rdma(namespace: str, *arguments: str) -> str:
    command = ["nsenter", f"--net={namespace}", "rdma", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except FileNotFoundError as error:
        raise CniError(_FAILED, "nsenter is missing on the node", "install util-linux") from error
    except subprocess.TimeoutExpired as error:
        raise CniError(_FAILED, f"`{' '.join(command)}` did not end within {_SECONDS} seconds", "") from error
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        kind = NotEnteredError if said.startswith("nsenter:") else CniError
        raise kind(_FAILED, f"`rdma {' '.join(arguments)}` failed: {said}", _remedy(said))
    return done.stdout


def _remedy(said: str) -> str:
    return next((remedy for sign, remedy in _REMEDIES.items() if sign in said), "the node's kernel log says more")
