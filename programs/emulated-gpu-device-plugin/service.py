"""Emulated GPUs as the kubelet is told of them, and what a container with one of them gets."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import grpc
from answers import Answers, Device
from files import CDI_KIND, Files
from gpus import EmulatedDevice, EmulatedResource
from health import Health, is_healthy
from kubelet_api import MESSAGES

__all__ = ["Service"]

_log = logging.getLogger(__name__)

_NVIDIA = "nvidia.com/"


class Service(Answers):
    """The calls of the API for one emulated resource.

    Args:
        resource: the resource with its devices.
        files: what the plugin has on the node.
        health: which of its devices are healthy.
        seconds: how often health is looked at.
    """

    def __init__(self, resource: EmulatedResource, files: Files, health: Health, seconds: float) -> None:
        super().__init__(seconds)
        self._resource = resource
        self._files = files
        self._health = health
        self._logged: list[str] | None = None

    def devices(self) -> list[Device]:
        """Return the devices with the health that the file tells."""
        sick = self._health.sick()
        found = [Device(one.id, is_healthy(one, sick), one.numa_node) for one in self._resource.devices]
        unhealthy = [device.id for device in found if not device.healthy]
        if unhealthy != self._logged:
            said = f"; Unhealthy: {', '.join(unhealthy)}" if unhealthy else ", all healthy"
            _log.info("%d devices of %s%s", len(found), self._resource.resource, said)
            self._logged = unhealthy
        return found

    def Allocate(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802, ANN401
        """Give harmless device files, by CDI where that is asked for, and say that they are emulated."""
        known = {device.id: device for device in self._resource.devices}
        answers = []
        for container in request.container_requests:
            unknown = [name for name in container.devices_ids if name not in known]
            if unknown:
                context.abort(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"{self._resource.resource} has no emulated device {', '.join(unknown)}",
                )
            _log.info("%s given to a container", ", ".join(container.devices_ids))
            answers.append(self._answer([known[name] for name in container.devices_ids]))
        return MESSAGES["AllocateResponse"](container_responses=answers)

    def _answer(self, devices: Sequence[EmulatedDevice]) -> Any:  # noqa: ANN401
        variable, spec, cdi = MESSAGES["Variable"], MESSAGES["DeviceSpec"], MESSAGES["CDIDevice"]
        names = ",".join(dict.fromkeys(device.name for device in devices))
        envs = [variable(key="GEDGE_EMULATED_GPU", value=names)]
        if self._resource.resource.startswith(_NVIDIA):
            # As the real plugin: ids of GPUs, those of time slices once each.
            envs.append(variable(key="NVIDIA_VISIBLE_DEVICES", value=names))
        if self._resource.cdi:
            given = [cdi(name=f"{CDI_KIND}={device.id}") for device in devices]
            return MESSAGES["ContainerAllocateResponse"](envs=envs, cdi_devices=given)
        specs = [
            spec(host_path=host, container_path=path, permissions="rw") for host, path in self._files.specs(devices)
        ]
        return MESSAGES["ContainerAllocateResponse"](envs=envs, devices=specs)
