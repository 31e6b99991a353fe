"""What every device plugin of ours answers the kubelet alike."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from kubelet_api import MESSAGES

__all__ = ["Answers", "Device"]


@dataclass(frozen=True)
class Device:
    """A device as the kubelet counts it.

    Attributes:
        id: its name, one of its resource's.
        healthy: whether pods may have it.
        numa_node: the NUMA node that it is near; None where there is none in particular.
    """

    id: str
    healthy: bool
    numa_node: int | None = None


class Answers(ABC):
    """The calls of the API, by their names there; plugins add Allocate.

    Args:
        seconds: how often the devices are looked at.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the streams."""
        self._stopping.set()

    @abstractmethod
    def devices(self) -> Sequence[Device]:
        """Return the devices as they are now."""

    @abstractmethod
    def Allocate(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802, ANN401
        """Say what containers with devices get."""

    def GetDevicePluginOptions(self, _request: object, _context: object) -> Any:  # noqa: N802, ANN401
        """Say that the two optional calls are not needed."""
        return MESSAGES["DevicePluginOptions"]()

    def ListAndWatch(self, _request: object, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        """Send the devices, and again whenever one changes; when the plugin ends, that there are none.

        A kubelet whose plugin just goes away counts its devices for five minutes more, as unhealthy ones.
        """
        told: Sequence[Device] | None = None
        while context.is_active() and not self._stopping.is_set():
            found = self.devices()
            if found != told:
                yield MESSAGES["ListAndWatchResponse"](devices=[_message(device) for device in found])
                told = found
            self._stopping.wait(self._seconds)
        if context.is_active():
            yield MESSAGES["ListAndWatchResponse"]()

    def PreStartContainer(self, _request: object, _context: object) -> Any:  # noqa: N802, ANN401
        """Do nothing."""
        return MESSAGES["PreStartContainerResponse"]()

    def GetPreferredAllocation(self, _request: object, _context: object) -> Any:  # noqa: N802, ANN401
        """Prefer nothing: the kubelet chooses by NUMA nodes itself."""
        return MESSAGES["PreferredAllocationResponse"]()


def _message(device: Device) -> Any:  # noqa: ANN401
    found = MESSAGES["Device"](ID=device.id, health="Healthy" if device.healthy else "Unhealthy")
    if device.numa_node is not None:
        found.topology.nodes.add(ID=device.numa_node)
    return found
