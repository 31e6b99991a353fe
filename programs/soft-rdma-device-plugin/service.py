"""Software RDMA as the kubelet is told of it: slots, and what a container with one of them gets."""

from __future__ import annotations

import logging
from typing import Any

import grpc
from answers import Answers, Device
from kubelet_api import MESSAGES
from verbs import Verbs

__all__ = ["Service"]

_log = logging.getLogger(__name__)


class Service(Answers):
    """The calls of the API for software RDMA.

    Args:
        verbs: the devices of the node.
        slots: how many pods can share them.
        seconds: how often their health is looked at.
    """

    def __init__(self, verbs: Verbs, slots: int, seconds: float) -> None:
        super().__init__(seconds)
        self._verbs = verbs
        self._ids = [f"soft-rdma-{number}" for number in range(slots)]
        self._logged: str | None = None

    def devices(self) -> list[Device]:
        """Return the slots: healthy are all of them, or none."""
        problem = self._verbs.problem()
        if problem != self._logged:
            _log.info("%s", problem or f"{len(self._ids)} slots are healthy")
            self._logged = problem
        return [Device(name, healthy=not problem) for name in self._ids]

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
            _log.info("%s given to a container", ", ".join(container.devices_ids))
            answers.append(MESSAGES["ContainerAllocateResponse"](devices=[spec]))
        return MESSAGES["AllocateResponse"](container_responses=answers)
