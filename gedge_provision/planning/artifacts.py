"""Which artifacts hosts need, which are out of date, and in which order they are made."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from gedge_provision.models.catalog import Artifact, Build, Catalog, GoModule, NeededOn, Source, Sources
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
    "sources_of",
    "up_to_date",
]


_IMAGE_FORMAT = "OCI archive, zstd layers"  # part of every image's recipe: change it when adapters/images.py changes


@dataclass(frozen=True)
class BuildPlan:
    """What a build has to do.

    Attributes:
        unchanged: names that are in the store as the catalog wants them.
        outdated: names to make, in catalog order.
        programs: what to compile, by product; those with many programs and dependencies first, as they take longest;
            programs of ours last, under the empty name.
        bases: file systems that the outdated images stand on.
    """

    unchanged: tuple[str, ...]
    outdated: tuple[Artifact, ...]
    programs: Mapping[str, tuple[Build, ...]]
    bases: tuple[str, ...]


def select(catalog: Catalog, needed_on: Collection[NeededOn], features: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names that a host needs.

    Args:
        catalog: what there is.
        needed_on: what the host is, e.g. {ALL, CONTROL_PLANE} for a control-plane node outside a lab.
        features: what the site uses (`Feature`); without them only what every site needs is selected.
    """
    return tuple(
        artifact.name
        for artifact in catalog.artifacts
        if set(artifact.needed_on) & set(needed_on) and (artifact.feature is None or artifact.feature in features)
    )


def recipe(catalog: Catalog, artifact: Artifact, source: Source, sources: Sources) -> str:
    """Return the hash of everything in the repository that decides an artifact's content."""
    parts: dict[str, object] = {"kind": artifact.kind, "version": artifact.version, "target": artifact.target}
    if source is Source.UPSTREAM:
        parts["upstream"] = artifact.upstream.model_dump(mode="json") if artifact.upstream else None
        return _hash(parts)
    if artifact.build is not None:
        parts["program"] = _program_parts(catalog, artifact.build, sources)
    if artifact.image is not None:
        parts["format"] = _IMAGE_FORMAT
        parts["containerfile"] = containerfile(catalog, artifact, artifact.image)
        if artifact.image.files:
            parts["files"] = artifact.image.files
        if artifact.image.base is not None:
            parts["base"] = [base_containerfile(), catalog.bases[artifact.image.base].model_dump(mode="json")]
    return _hash(parts)


def sources_of(artifact: Artifact, wanted: Source | None) -> tuple[Source, ...]:
    """Return the sources that an artifact may come from: the wanted one, or any.

    What is ours alone is always built, what cannot be built is always fetched.
    """
    if artifact.upstream is None:
        return (Source.BUILD,)
    if artifact.only_upstream:
        return (Source.UPSTREAM,)
    return (wanted,) if wanted else tuple(Source)


def program_key(catalog: Catalog, build: Build, sources: Sources, toolchain: str) -> str:
    """Return the hash that names a compiled program while its artifacts are being made."""
    return _hash({"program": _program_parts(catalog, build, sources), "toolchain": toolchain})


def link_flags(catalog: Catalog, build: Build) -> str:
    """Return the linker flags of a Go program: no symbols, no build id, the product's variables, static."""
    product = catalog.products[str(build.product)]
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
    sources: Sources,
) -> BuildPlan:
    """Order the work for those of `names` that are outdated."""
    todo = tuple(a for a in catalog.artifacts if a.name in names and a.name in outdated)
    programs: dict[str, list[Build]] = {}
    for artifact in todo:
        if artifact.build is not None:
            builds = programs.setdefault(artifact.product or "", [])
            if artifact.build not in builds:
                builds.append(artifact.build)
    weights = {product: len(sources.modules[product].go_sum) if product else 0 for product in programs}
    longest_first = sorted(programs, key=lambda product: len(programs[product]) * weights[product], reverse=True)
    return BuildPlan(
        unchanged=tuple(a.name for a in catalog.artifacts if a.name in names and a.name not in outdated),
        outdated=todo,
        programs={product: tuple(programs[product]) for product in longest_first},
        bases=tuple(sorted({a.image.base for a in todo if a.image and a.image.base})),
    )


def _program_parts(catalog: Catalog, build: Build, sources: Sources) -> list[object]:
    if build.program is not None:
        files = sources.programs[build.program]
        return [build.program, _digests(files)]
    if build.module is not None:
        source = sources.python[build.module]
        return [build.module, source.requirements, list(build.leave_out), _digests(source.files)]
    described = build.model_dump(mode="json", include={"product", "package", "c_source", "defines"})
    module = sources.modules[str(build.product)]
    product = catalog.products[str(build.product)].model_dump(mode="json")
    return [product, described, module.go_mod, module.go_sum, link_flags(catalog, build)]


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def _hash(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))
