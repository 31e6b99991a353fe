"""The health of emulated devices, as a file on the node tells it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gpus import EmulatedDevice

__all__ = ["Health", "is_healthy"]

_log = logging.getLogger(__name__)

_STATES = {"Healthy": True, "Unhealthy": False}


class Health:
    """What a person, or a test, writes to make GPUs or single devices Unhealthy, and back.

    Args:
        path: the file: a JSON object with names and states. What it does not name is healthy; without it all are.
        devices: the devices of this node.
    """

    def __init__(self, path: Path, devices: Iterable[EmulatedDevice]) -> None:
        self.path = path
        self._known = {name for device in devices for name in _names(device)}
        self._sick: frozenset[str] = frozenset()
        self._seen = ""
        self._logged = ""

    def sick(self) -> frozenset[str]:
        """Return the names that are Unhealthy now; what is wrong in the file changes nothing."""
        try:
            told = json.loads(self.path.read_text(encoding="utf-8"))
            problem = self._problem(told)
        except FileNotFoundError:
            told, problem = {}, ""
        except (OSError, ValueError) as error:
            told, problem = {}, f"cannot be read: {error}"
        # Twice: the first look may have met a file that is just being written.
        if problem and problem == self._seen != self._logged:
            _log.warning(
                '%s %s; health stays as it was -> write {"emulated-gpu-0": "Unhealthy"}, or Healthy',
                self.path,
                problem,
            )
            self._logged = problem
        self._seen = problem
        if not problem:
            self._logged = ""
            self._sick = frozenset(name for name, state in told.items() if not _STATES[state])
        return self._sick

    def _problem(self, told: Any) -> str:  # noqa: ANN401 - JSON
        if not isinstance(told, dict):
            return "is no object"
        strange = sorted(set(told) - self._known)
        if strange:
            return f"names {', '.join(strange)}, which nothing here is called"
        wrong = sorted(name for name, state in told.items() if not isinstance(state, str) or state not in _STATES)
        return f"says of {', '.join(wrong)} neither Healthy nor Unhealthy" if wrong else ""


def is_healthy(device: EmulatedDevice, sick: frozenset[str]) -> bool:
    """Tell whether a device is healthy: neither it nor its GPU is named."""
    return not _names(device) & sick


def _names(device: EmulatedDevice) -> set[str]:
    return {device.id, device.name, device.gpu}
