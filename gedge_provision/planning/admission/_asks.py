"""What a pod asks of a kubelet's managers: whole CPUs, memory, devices; container by container and altogether.

Source: Kubernetes, pkg/apis/core/v1/helper/qos; KEP-753 (sidecar containers), "Resources calculation for scheduling and
pod admission".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["ContainerAsk", "PodAsk"]


@dataclass(frozen=True)
class ContainerAsk:
    """What a container asks for.

    Attributes:
        name: of the container.
        cpus: CPUs of its own: whole ones in a Guaranteed pod, else 0.
        memory: bytes by kind, where its pod is Guaranteed; else nothing, since nothing is set aside then.
        devices: by resource.
        init: whether it ends before the next one starts.
        sidecar: whether it starts like an init container and goes on running.
    """

    name: str
    cpus: int = 0
    memory: Mapping[str, int] = field(default_factory=dict)
    devices: Mapping[str, int] = field(default_factory=dict)
    init: bool = False
    sidecar: bool = False


@dataclass(frozen=True)
class PodAsk:
    """What a pod asks for; its containers in the order in which a kubelet looks at them, init containers first."""

    uid: str
    containers: tuple[ContainerAsk, ...]

    @property
    def cpus(self) -> int:
        """CPUs of its own that the pod needs at any moment."""
        return self._at_most(lambda one: {"": one.cpus}).get("", 0)

    @property
    def memory(self) -> Mapping[str, int]:
        """Bytes by kind that the pod needs at any moment; kinds that only init containers ask for are not looked at."""
        lasting = {kind for one in self.containers if not (one.init or one.sidecar) for kind in one.memory}
        return {kind: size for kind, size in self._at_most(lambda one: one.memory).items() if kind in lasting}

    @property
    def devices(self) -> Mapping[str, int]:
        """Devices by resource that the pod needs at any moment."""
        return self._at_most(lambda one: one.devices)

    def _at_most(self, amounts: Callable[[ContainerAsk], Mapping[str, int]]) -> dict[str, int]:
        lasting: dict[str, int] = {}
        while_starting: dict[str, int] = {}
        for one in self.containers:
            for name, amount in amounts(one).items():
                if one.init:
                    needed = lasting.get(name, 0) + amount
                    while_starting[name] = max(while_starting.get(name, 0), needed)
                else:
                    lasting[name] = lasting.get(name, 0) + amount
        return {name: max(lasting.get(name, 0), while_starting.get(name, 0)) for name in {**lasting, **while_starting}}
