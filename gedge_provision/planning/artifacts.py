"""Which artifacts hosts need, which are out of date, and in which order they are made."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from gedge_provision.models.catalog import Artifact, Build, Catalog, GoModule, Kind, NeededOn, Source
from gedge_provision.models.stored import StoredArtifact
from gedge_provision.planning.containerfiles import base_containerfile, containerfile

__all__ = [
    "BuildPlan",
    "acceptable_go",
    "link_flags",
    "plan_build",
    "program_key",
    "recipe",
    "required_go",
    "select",
    "up_to_date",
]


_IMAGE_FORMAT = "OCI archive, zstd layers"  # part of every image's recipe: change it when adapters/images.py changes


@dataclass(frozen=True)
class BuildPlan:
    """What a build has to do.

    Attributes:
        unchanged: names that are in the store as the catalog wants them.
        outdated: names to make, in catalog order.
        programs: what to compile, by product; those with many programs and dependencies first, as they take longest.
        bases: file systems that the outdated images stand on.
    """

    unchanged: tuple[str, ...]
    outdated: tuple[Artifact, ...]
    programs: Mapping[str, tuple[Build, ...]]
    bases: tuple[str, ...]


def select(catalog: Catalog, needed_on: Collection[NeededOn]) -> tuple[str, ...]:
    """Return the names that a host needs, e.g. {ALL, CONTROL_PLANE} for a control-plane node outside a lab."""
    return tuple(artifact.name for artifact in catalog.artifacts if set(artifact.needed_on) & set(needed_on))


def recipe(catalog: Catalog, artifact: Artifact, source: Source, modules: Mapping[str, GoModule]) -> str:
    """Return the hash of everything in the repository that decides an artifact's content."""
    parts: dict[str, object] = {"kind": artifact.kind, "version": artifact.version, "target": artifact.target}
    if source is Source.UPSTREAM:
        parts["upstream"] = artifact.upstream.model_dump(mode="json")
        return _hash(parts)
    parts["program"] = _program_parts(catalog, artifact.build, modules)
    if artifact.image is not None:
        parts["format"] = _IMAGE_FORMAT
        parts["containerfile"] = containerfile(catalog, artifact, artifact.image)
        if artifact.image.base is not None:
            parts["base"] = [base_containerfile(), catalog.bases[artifact.image.base].model_dump(mode="json")]
    return _hash(parts)


def program_key(catalog: Catalog, build: Build, modules: Mapping[str, GoModule], toolchain: str) -> str:
    """Return the hash that names a compiled program while its artifacts are being made."""
    return _hash({"program": _program_parts(catalog, build, modules), "toolchain": toolchain})


def link_flags(catalog: Catalog, build: Build) -> str:
    """Return the linker flags of a Go program: no symbols, no build id, the product's variables, static."""
    product = catalog.products[build.product]
    major, minor, _ = product.version.removeprefix("v").split(".", 2)
    values = {"version": product.version, "major": major, "minor": minor}
    flags = ["-s", "-w", "-buildid="]
    flags += [f"-X={name}={value.format(**values)}" for name, value in sorted(product.variables.items())]
    if product.cgo:
        flags += ["-linkmode=external", "-extldflags=-static"]
    return " ".join(flags)


def required_go(modules: Iterable[GoModule]) -> str:
    """Return the lowest Go version that builds all modules, e.g. 1.26.3."""
    lines = (re.search(r"^go (\S+)$", module.go_mod, re.MULTILINE) for module in modules)
    return max((line[1] for line in lines if line), key=_version, default="1.26.0")


def acceptable_go(version: str, required: str) -> bool:
    """Tell whether a Go release ("go1.26.8") is at least the required one; previews are not."""
    return re.fullmatch(r"go\d+(\.\d+)+", version) is not None and _version(version[2:]) >= _version(required)


def up_to_date(stored: StoredArtifact | None, recipes: Mapping[Source, str], toolchain: str | None) -> bool:
    """Tell whether a stored artifact is what the catalog wants.

    Args:
        stored: what the store has, None when it has nothing.
        recipes: the present recipe of each source that is acceptable.
        toolchain: the Go version at hand; None when the machine has none, as on one that unpacked an archive:
            then any toolchain is taken.
    """
    if stored is None or recipes.get(Source(stored.source)) != stored.recipe:
        return False
    return stored.source == Source.UPSTREAM or toolchain is None or stored.toolchain == toolchain


def plan_build(
    catalog: Catalog,
    names: Collection[str],
    outdated: Collection[str],
    modules: Mapping[str, GoModule],
) -> BuildPlan:
    """Order the work for those of `names` that are outdated."""
    todo = tuple(a for a in catalog.artifacts if a.name in names and a.name in outdated)
    programs: dict[str, list[Build]] = {}
    for artifact in todo:
        builds = programs.setdefault(artifact.build.product, [])
        if artifact.build not in builds:
            builds.append(artifact.build)
    longest_first = sorted(programs, key=lambda p: len(programs[p]) * len(modules[p].go_sum), reverse=True)
    return BuildPlan(
        unchanged=tuple(a.name for a in catalog.artifacts if a.name in names and a.name not in outdated),
        outdated=todo,
        programs={product: tuple(programs[product]) for product in longest_first},
        bases=tuple(sorted({a.image.base for a in todo if a.kind is Kind.IMAGE and a.image and a.image.base})),
    )


def _program_parts(catalog: Catalog, build: Build, modules: Mapping[str, GoModule]) -> list[object]:
    module = modules[build.product]
    product = catalog.products[build.product].model_dump(mode="json")
    return [product, build.model_dump(mode="json"), module.go_mod, module.go_sum, link_flags(catalog, build)]


def _hash(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))
