"""What must hold across MIG layouts, the strategy by which they are offered, and what is shared of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.gpu import GpuIntent
from gedge_provision.models.gpu_operator import GpuOperator, MigPart
from gedge_provision.models.site import Site
from gedge_provision.models.wording import shown
from gedge_provision.planning.gpu_labels import gpu_section

__all__ = ["check_mig"]

_WHOLE = "all-disabled"
_MANY = ("all-balanced",)
_GENERATED = (_WHOLE, "all-enabled", *_MANY)
"""Layouts that the MIG manager makes of any hardware; others are all-PROFILE (GPU operator documentation, "MIG")."""
_SLICES = 7
"""Compute slices of a GPU; the number before g of a profile is how many it takes (NVIDIA MIG user guide)."""


def check_mig(site: Site, intents: Mapping[str, GpuIntent]) -> Iterator[Problem]:
    """Yield everything that is wrong with layouts."""
    section = gpu_section(site)
    yield from _layouts(section)
    for name, intent in intents.items():
        path: Path = ("node_classes", name, "gpu")
        if intent.mig is not None:
            yield from _asked((*path, "mig"), section, intent.mig)
        yield from _shared((*path, "sharing", "replicas"), site, section, name, intent)
    for index, node in enumerate(site.nodes):
        if node.gpu is not None and node.node_class in intents:
            yield from _asked(("nodes", index, "gpu", "mig"), section, node.gpu.mig)
            sharing = intents[node.node_class].sharing
            if sharing is not None and sharing.mode == "mps" and node.gpu.mig != _WHOLE:
                yield Problem(
                    ("nodes", index, "gpu", "mig"),
                    f"GPUs of the class {node.node_class} are shared by MPS, which does not work on MIG devices",
                    "give the node another class",
                )


def _layouts(section: GpuOperator) -> Iterator[Problem]:
    for name, parts in section.mig_layouts.items():
        path: Path = ("gpu_operator", "mig_layouts", name)
        if name == _WHOLE:
            yield Problem(path, f"{_WHOLE} is there by itself", "take it out")
        seen: set[int] = set()
        for index, part in enumerate(parts):
            numbers = [] if part.devices == "all" else list(part.devices)
            again = sorted({number for number in numbers if number in seen or numbers.count(number) > 1})
            if part.devices == "all" and len(parts) > 1:
                yield Problem(
                    (*path, index, "devices"),
                    "a part for all GPUs leaves none for the others",
                    "name the numbers of GPUs in each part, or keep this part alone",
                )
            elif again:
                yield Problem(
                    (*path, index, "devices"), f"GPU {again[0]} is divided twice", "name each GPU in one part only"
                )
            seen |= set(numbers)
            slices = sum(count * int(profile[0]) for profile, count in part.profiles.items())
            if slices > _SLICES:
                yield Problem(
                    (*path, index, "profiles"),
                    f"these take {slices} compute slices of a GPU, which has {_SLICES}",
                    "leave some out; nvidia-smi mig -lgipp shows what goes together",
                )


def _asked(path: Path, section: GpuOperator, name: str) -> Iterator[Problem]:
    """Yield what is wrong with a layout that nodes ask for."""
    if name == _WHOLE:
        return
    strategy = section.mig_strategy or "single"
    own = section.mig_layouts
    if strategy == "none":
        yield Problem(path, "mig_strategy is none, so that nobody is offered MIG devices", "set it to single or mixed")
    if own and name not in own:
        yield Problem(
            path,
            f"with mig_layouts the MIG manager has these only, and {name} is none of them",
            f"use one of {', '.join([*own, _WHOLE])}, or add it to gpu_operator.mig_layouts",
        )
    elif not own and name not in _GENERATED and _profile(name) is None:
        yield Problem(
            path,
            f"{shown(name)} is no layout that the MIG manager makes",
            "write all- and a profile (all-1g.10gb), all-balanced or all-disabled, or describe it in "
            "gpu_operator.mig_layouts",
        )
    elif strategy == "single" and (name in _MANY or not _uniform(own.get(name, ()))):
        yield Problem(
            path,
            f"{name} has devices of several sizes, which the strategy single offers under one name",
            "set gpu_operator.mig_strategy to mixed, or divide all GPUs alike",
        )


def _uniform(parts: tuple[MigPart, ...]) -> bool:
    kinds = {profile for part in parts for profile in part.profiles}
    return len(kinds) <= 1 and not (kinds and any(not part.profiles for part in parts))


def _profile(layout: str) -> str | None:
    """Return the profile of a generated layout with one: 1g.10gb of all-1g.10gb."""
    name = layout.removeprefix("all-")
    return name if layout.startswith("all-") and re.fullmatch(r"[1-7]g\.\d+gb(\+[a-z.]+)?", name) else None


def _shared(path: Path, site: Site, section: GpuOperator, name: str, intent: GpuIntent) -> Iterator[Problem]:
    """Yield MIG devices that are shared, and that no GPU of the class has."""
    if intent.sharing is None or intent.sharing.mode != "time-slicing":
        return
    asked = {intent.mig} | {node.gpu.mig for node in site.nodes if node.gpu and node.node_class == name}
    made = {resource for layout in asked if layout for resource in _resources(section, layout)}
    for resource in intent.sharing.replicas:
        if not resource.startswith("nvidia.com/mig-"):
            continue
        if (section.mig_strategy or "single") != "mixed":
            yield Problem(
                (*path, resource),
                "MIG devices have names of their own under the strategy mixed only",
                "share nvidia.com/gpu, or set gpu_operator.mig_strategy to mixed",
            )
        elif resource not in made and not asked & set(_MANY):
            yield Problem(
                (*path, resource),
                f"no layout of the class makes {resource}",
                f"choose a layout that has it; those have {', '.join(sorted(made)) or 'no MIG devices'}",
            )


def _resources(section: GpuOperator, layout: str) -> set[str]:
    parts = section.mig_layouts.get(layout)
    profile = _profile(layout)
    profiles = {one for part in parts for one in part.profiles} if parts else {profile} - {None}
    return {f"nvidia.com/mig-{str(one).replace('+', '.')}" for one in profiles}
