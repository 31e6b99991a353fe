"""The device manager: hints for the topology manager, and devices for a container.

Which of several devices that are equally near a container gets is the device plugin's choice, or chance; here it is the
one with the lowest id. Source: Kubernetes, pkg/kubelet/cm/devicemanager, manager.go and topology_hints.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gedge_provision.planning.admission._asks import ContainerAsk, PodAsk
from gedge_provision.planning.admission._hints import Hint, Hints, mask_of, masks
from gedge_provision.planning.admission._machine import Machine, State
from gedge_provision.planning.admission._refusal import UNEXPECTED, RefusedError

__all__ = ["DeviceManager"]


@dataclass
class DeviceManager:
    """The device manager while it looks at one pod; what init containers leave behind is for its other containers."""

    machine: Machine
    reusable: dict[str, frozenset[str]] = field(default_factory=dict)

    def hints(self, state: State, ask: ContainerAsk | PodAsk) -> Hints:
        """Return the NUMA nodes that could give a container, or a pod as a whole, its devices; by resource."""
        return {
            resource: self._hints(state, resource, number)
            for resource, number in ask.devices.items()
            if resource in self.machine.devices
        }

    def _hints(self, state: State, resource: str, number: int) -> list[Hint] | None:
        devices = self.machine.devices[resource]
        if not any(devices.values()):
            return None
        free = frozenset(devices) - state.owned_devices(resource)
        kept = self.reusable.get(resource, frozenset())
        if len(free | kept) < number:
            return []
        masks_of = {device: mask_of(nodes) for device, nodes in devices.items()}
        known = sorted({node for nodes in devices.values() for node in nodes} & set(self.machine.nodes))
        fewest = len(known)
        found = []
        for mask in masks(known):
            if sum(1 for near in masks_of.values() if near & mask) >= number:
                fewest = min(fewest, mask.bit_count())
            if any(not masks_of[device] & mask for device in kept if masks_of[device]):
                continue
            at_hand = sum(1 for device in kept if masks_of[device])
            if at_hand + sum(1 for device in free if masks_of[device] & mask) >= number:
                found.append(mask)
        return [Hint(mask, mask.bit_count() == fewest) for mask in found]

    def allocate(self, state: State, pod: str, ask: ContainerAsk, hint: Hint) -> State:
        """Give a container its devices: those that its pod has already, then those of the hint, then any.

        Raises:
            RefusedError: there are not enough.
        """
        owned = dict(state.devices)
        for resource, number in ask.devices.items():
            if resource not in self.machine.devices:
                continue
            devices = self.machine.devices[resource]
            if not devices:
                raise RefusedError(UNEXPECTED, f"{number} {resource}, of which none is well")
            kept = self.reusable.get(resource, frozenset())
            free = frozenset(devices) - replace(state, devices=owned).owned_devices(resource)
            again = sorted(kept)[:number]
            if len(free) < number - len(again):
                raise RefusedError(UNEXPECTED, f"{number} {resource}, of which {len(free)} are free")
            first = sorted(free, key=lambda device: (not self._near(resource, device, hint), device))
            chosen = frozenset((again + first)[:number])
            if chosen:
                owned[pod, ask.name, resource] = chosen
            self.reusable[resource] = kept | chosen if ask.init else kept - chosen
        return replace(state, devices=owned)

    def _near(self, resource: str, device: str, hint: Hint) -> bool:
        places = self.machine.devices[resource]
        if hint.mask is None or not any(places.values()):
            return True
        return bool(mask_of(places[device]) & hint.mask)
