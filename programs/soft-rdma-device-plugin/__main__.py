"""Device plugin for software RDMA (rxe): lets pods ask for a resource and gives them the verbs devices.

Devices of rxe have no PCI parent, so the RDMA shared device plugin and the SR-IOV device plugin cannot see them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from options import add_folders, resource_name, until_stopped
from plugin import Plugin
from service import Service
from verbs import Verbs

_SECONDS = 2.0
_MOST_SLOTS = 1000


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    options = _options()
    stopping = until_stopped("software RDMA")
    service = Service(Verbs(options.verbs, options.sysfs), options.devices, _SECONDS)
    endpoint = f"{options.resource.replace('/', '_')}.sock"
    Plugin(options.kubelet, endpoint, options.resource, _SECONDS).run(service, stopping)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soft-rdma-device-plugin", description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "--resource", type=resource_name, default="rdma/soft_rdma", help="name of the resource (%(default)s)"
    )
    parser.add_argument("--devices", type=_slots, default=16, help="how many pods share them (%(default)s)")
    parser.add_argument("--verbs", type=Path, default=Path("/dev/infiniband"), help="folder of devices (%(default)s)")
    add_folders(parser)
    return parser.parse_args()


def _slots(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_SLOTS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST_SLOTS}")
    return int(text)


if __name__ == "__main__":
    main()
