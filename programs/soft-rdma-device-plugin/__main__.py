"""Device plugin for software RDMA (rxe): lets pods ask for a resource and gives them the verbs devices.

Devices of rxe have no PCI parent, so the RDMA shared device plugin and the SR-IOV device plugin cannot see them.
"""

from __future__ import annotations

import argparse
import logging
import re
import signal
import threading
from pathlib import Path

from plugin import Plugin
from service import Service
from verbs import Verbs

_SECONDS = 2.0
_MOST_SLOTS = 1000


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    service = Service(Verbs(options.verbs, options.sysfs), options.devices, _SECONDS)
    Plugin(options.kubelet, options.resource, _SECONDS).run(service, stopping)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soft-rdma-device-plugin", description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "--resource", type=_resource, default="rdma/soft_rdma", help="name of the resource (%(default)s)"
    )
    parser.add_argument("--devices", type=_slots, default=16, help="how many pods share them (%(default)s)")
    parser.add_argument(
        "--kubelet",
        type=Path,
        default=Path("/var/lib/kubelet/device-plugins"),
        help="folder of kubelet.sock (%(default)s)",
    )
    parser.add_argument("--verbs", type=Path, default=Path("/dev/infiniband"), help="folder of devices (%(default)s)")
    parser.add_argument("--sysfs", type=Path, default=Path("/sys"), help="where sysfs is (%(default)s)")
    return parser.parse_args()


def _resource(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no resource name -> write DOMAIN/NAME, as in rdma/soft_rdma")
    return text


def _slots(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_SLOTS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST_SLOTS}")
    return int(text)


if __name__ == "__main__":
    main()
