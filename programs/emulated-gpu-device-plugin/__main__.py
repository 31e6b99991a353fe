"""Device plugin that EMULATES GPUs: the kubelet counts and aligns them, and there is nothing behind them.

For trying out what needs no GPU: requests, exhaustion, NUMA alignment, health, MIG-like and time-sliced resources.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from files import Files
from gpus import emulated_resources
from health import Health
from options import add_folders, until_stopped
from plugin import Plugin
from refusals import refusal
from service import Service

_log = logging.getLogger(__name__)

_SECONDS = 1.0  # a change of health is told within two


def main() -> int:
    """Run until SIGTERM or SIGINT, or until the node turns out to have something real."""
    options = _options()
    stopping = until_stopped("emulated GPUs")
    files = Files(options.folder, options.cdi, options.resources)
    problem = refusal(options.resources, options.kubelet, options.sysfs)
    if problem:
        return _refuse(problem)
    try:
        files.prepare()
    except OSError as error:
        return _refuse(f"{error.filename or options.folder}: {error.strerror} -> the plugin needs CAP_MKNOD here")
    try:
        with ThreadPoolExecutor(len(options.resources)) as pool:
            serving = [
                pool.submit(
                    Plugin(options.kubelet, f"emulated-gpu-{number}.sock", one.resource, _SECONDS).run,
                    Service(one, files, Health(files.health, files.devices), _SECONDS),
                    stopping,
                )
                for number, one in enumerate(options.resources)
            ]
            try:
                problem = _watch(options, stopping, serving)
            finally:
                stopping.set()
        for one in serving:
            one.result()
    finally:
        files.remove()
    return _refuse(problem) if problem else 0


def _watch(options: argparse.Namespace, stopping: threading.Event, serving: list[Future[None]]) -> str:
    """Wait for the end; return what came to this node meanwhile that is not to be emulated beside."""
    while not stopping.is_set():
        if any(one.done() for one in serving):
            return ""
        problem = refusal(options.resources, options.kubelet, options.sysfs)
        if problem:
            return problem
        wait(serving, timeout=_SECONDS, return_when=FIRST_EXCEPTION)
    return ""


def _refuse(problem: str) -> int:
    _log.error("%s", problem)
    return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="emulated-gpu-device-plugin", description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "--resources",
        type=emulated_resources,
        default='[{"resource": "nvidia.com/gpu"}]',
        metavar="JSON",
        help="what to emulate: a list of resource, count, slices, numa_nodes, cdi (%(default)s)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("/run/gedge-emulated/gpus"),
        help="folder for device files and health.json (%(default)s)",
    )
    parser.add_argument(
        "--cdi", type=Path, default=Path("/var/run/cdi"), help="folder of CDI specifications (%(default)s)"
    )
    add_folders(parser)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
