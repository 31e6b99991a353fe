"""What an apply would change of emulated GPUs, from what is remembered: the objects of their device plugin. Pure.

Labels of nodes and artifacts are those of every part, and planned with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gedge_provision.models.changes import Change

__all__ = ["emulated_gpu_changes", "emulated_gpu_objects"]

_NAME = "kube-system/emulated-gpu"
_IMAGE = "emulated_gpu_image"


def emulated_gpu_objects(classes: Sequence[str]) -> list[str]:
    """Return what the role emulated_gpu applies for classes of nodes."""
    return [f"ServiceAccount {_NAME}", *(f"DaemonSet {_NAME}-{name}" for name in classes)] if classes else []


def emulated_gpu_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what changes in the cluster, from the variables of the site then and now."""
    had, has = (_classes(variables) for variables in (old, new))
    before, after = (emulated_gpu_objects(list(found)) for found in (had, has))
    yield from (_object(title, "create") for title in after if title not in before)
    image = old.get(_IMAGE) != new.get(_IMAGE)
    changed = [name for name in has if name in had and (image or had[name] != has[name])]
    yield from (Change("DaemonSet", f"{_NAME}-{name}", "change") for name in changed)
    yield from (_object(title, "remove") for title in before if title not in after)


def _classes(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {one["name"]: one["resources"] for one in variables.get("emulated_gpu_classes", [])}


def _object(title: str, action: str) -> Change:
    kind, _, name = title.partition(" ")
    return Change(kind, name, action)
