"""Values of the chart for the MIG manager, which divides GPUs as labels of nodes say."""

from __future__ import annotations

from typing import Any

import yaml

from gedge_provision.models.gpu_operator import MigPart
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu_labels import divides_gpus, gpu_section

__all__ = ["mig_manager"]

_CONFIG_MAP = "gedge-mig-layouts"
_WHOLE = "all-disabled"


def mig_manager(site: Site) -> dict[str, Any]:
    """Return the values below migManager.

    Where no node asks for a layout it stays away: it would make GPUs whole that somebody has divided by hand.
    """
    if not divides_gpus(site):
        return {"enabled": False}
    values: dict[str, Any] = {"enabled": True}
    layouts = gpu_section(site).mig_layouts
    if layouts:
        made: dict[str, Any] = {_WHOLE: [{"devices": "all", "mig-enabled": False}]}
        made |= {name: [_part(part) for part in parts] for name, parts in layouts.items()}
        text = yaml.safe_dump({"version": "v1", "mig-configs": made}, sort_keys=False)
        values["config"] = {
            "create": True,
            "name": _CONFIG_MAP,
            "default": _WHOLE,
            "data": {"config.yaml": str(text)},
        }
    return values


def _part(part: MigPart) -> dict[str, Any]:
    """Return a part in the words of mig-parted."""
    made: dict[str, Any] = {
        "devices": part.devices if part.devices == "all" else list(part.devices),
        "mig-enabled": bool(part.profiles),
    }
    return made | ({"mig-devices": dict(part.profiles)} if part.profiles else {})
