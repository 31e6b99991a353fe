"""Options and signals of the device plugins of ours."""

from __future__ import annotations

import argparse
import logging
import re
import signal
import threading
from pathlib import Path

__all__ = ["add_folders", "resource_name", "until_stopped"]

_RESOURCE = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Add where the kubelet and the kernel are found."""
    parser.add_argument(
        "--kubelet",
        type=Path,
        default=Path("/var/lib/kubelet/device-plugins"),
        help="folder of kubelet.sock (%(default)s)",
    )
    parser.add_argument("--sysfs", type=Path, default=Path("/sys"), help="where sysfs is (%(default)s)")


def resource_name(text: str) -> str:
    """Return the name of a resource.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not re.fullmatch(_RESOURCE, text):
        raise argparse.ArgumentTypeError(f"{text!r} is no resource name -> write DOMAIN/NAME, as in rdma/soft_rdma")
    return text


def until_stopped(what: str) -> threading.Event:
    """Start to log, each line with what it is about, and return what SIGTERM and SIGINT set."""
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s %(levelname)s {what}: %(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping
