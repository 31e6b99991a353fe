"""What the plugin has on the node: harmless device files, a CDI specification, and the file that tells health."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpus import EmulatedDevice, EmulatedResource

__all__ = ["CDI_KIND", "Files"]

CDI_KIND = "gedge.dev/emulated-gpu"
_CDI_FILE = "gedge-emulated-gpu.json"
_CDI_VERSION = "0.5.0"  # the first with hostPath
_NULL = (1, 3)  # /dev/null's numbers: what is written is gone, nothing is read


@dataclass(frozen=True)
class Files:
    """Files of the emulation.

    Attributes:
        folder: a folder of its own on the node, under the same path in the plugin's container.
        cdi: the runtime's folder of CDI specifications; used when a resource asks for CDI.
        resources: what is emulated.
    """

    folder: Path
    cdi: Path
    resources: Sequence[EmulatedResource]

    def prepare(self) -> None:
        """Make them; health that a killed predecessor was told stays.

        Raises:
            OSError: the node does not let it.
        """
        shutil.rmtree(self._nodes, ignore_errors=True)
        self._nodes.mkdir(parents=True)
        for name in sorted({device.name for device in self.devices}):
            os.mknod(self._nodes / name, stat.S_IFCHR | 0o666, os.makedev(*_NULL))
            (self._nodes / name).chmod(0o666)  # whatever the umask is
        if not self.health.exists():
            _write(self.health, dict.fromkeys(sorted({device.gpu for device in self.devices}), "Healthy"))
        if any(one.cdi for one in self.resources):
            self.cdi.mkdir(parents=True, exist_ok=True)
            _write(self.cdi / _CDI_FILE, self._specification())
        else:
            (self.cdi / _CDI_FILE).unlink(missing_ok=True)  # of a killed predecessor

    def remove(self) -> None:
        """Leave nothing."""
        (self.cdi / _CDI_FILE).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def devices(self) -> list[EmulatedDevice]:
        """The devices of all resources."""
        return [device for one in self.resources for device in one.devices]

    @property
    def health(self) -> Path:
        """The file that tells health."""
        return self.folder / "health.json"

    def specs(self, devices: Sequence[EmulatedDevice]) -> list[tuple[str, str]]:
        """Return the device files of devices: path on the node, path in the container."""
        names = dict.fromkeys(device.name for device in devices)
        return [(str(self._nodes / name), f"/dev/{name}") for name in names]

    @property
    def _nodes(self) -> Path:
        return self.folder / "dev"

    def _specification(self) -> dict[str, Any]:
        """Return the CDI specification (cncf-tags/container-device-interface, SPEC.md)."""
        return {
            "cdiVersion": _CDI_VERSION,
            "kind": CDI_KIND,
            "devices": [
                {"name": device.id, "containerEdits": {"deviceNodes": [self._node(device)]}}
                for one in self.resources
                if one.cdi
                for device in one.devices
            ],
        }

    def _node(self, device: EmulatedDevice) -> dict[str, Any]:
        ((host, path),) = self.specs([device])
        return {"path": path, "hostPath": host, "type": "c", "major": _NULL[0], "minor": _NULL[1], "permissions": "rw"}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    partial = path.with_name(f".{path.name}")
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
