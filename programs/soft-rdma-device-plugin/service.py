"""What the kubelet asks a device plugin: which devices there are, and what a container with one of them gets."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import grpc
from kubelet_api import MESSAGES
from verbs import Verbs

__all__ = ["Service"]

_log = logging.getLogger(__name__)


class Service:
    """The calls of the API, by their names there.

    Args:
        verbs: the devices of the node.
        slots: how many pods can share them.
        seconds: how often their health is looked at.
    """

    def __init__(self, verbs: Verbs, slots: int, seconds: float) -> None:
        self._verbs = verbs
        self._ids = [f"soft-rdma-{number}" for number in range(slots)]
        self._seconds = seconds
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the streams."""
        self._stopping.set()

    def GetDevicePluginOptions(self, _request: object, _context: object) -> Any:  # noqa: N802, ANN401
        """Say that the two optional calls are not needed."""
        return MESSAGES["DevicePluginOptions"]()

    def ListAndWatch(self, _request: object, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        """Send the slots, and again whenever their health changes."""
        told: str | None = None
        while context.is_active() and not self._stopping.is_set():
            problem = self._verbs.problem()
            if problem != told:
                _log.info("software RDMA: %s", problem or f"{len(self._ids)} slots are healthy")
                health = "Unhealthy" if problem else "Healthy"
                device = MESSAGES["Device"]
                yield MESSAGES["ListAndWatchResponse"](devices=[device(ID=name, health=health) for name in self._ids])
                told = problem
            self._stopping.wait(self._seconds)

    def Allocate(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802, ANN401
        """Give the folder of the verbs devices.

        The folder and not one device: the CNI plugin makes the pod's link, and with it uverbsN, after this call and
        before the runtime reads the folder to create the container.
        """
        problem = self._verbs.problem()
        if problem:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"software RDMA: {problem}")
        folder = str(self._verbs.folder)
        spec = MESSAGES["DeviceSpec"](container_path=folder, host_path=folder, permissions="rw")
        answers = []
        for container in request.container_requests:
            _log.info("software RDMA: %s given to a container", ", ".join(container.devices_ids))
            answers.append(MESSAGES["ContainerAllocateResponse"](devices=[spec]))
        return MESSAGES["AllocateResponse"](container_responses=answers)

    def PreStartContainer(self, _request: object, _context: object) -> Any:  # noqa: N802, ANN401
        """Do nothing."""
        return MESSAGES["PreStartContainerResponse"]()

    def GetPreferredAllocation(self, _request: object, _context: object) -> Any:  # noqa: N802, ANN401
        """Prefer nothing: all slots are equal."""
        return MESSAGES["PreferredAllocationResponse"]()
