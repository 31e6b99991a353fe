"""The catalog: everything that roles may install, with versions, purposes and sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from gedge_provision.models.base import Document

__all__ = [
    "PYTHON_OF_BASES",
    "Artifact",
    "Base",
    "Build",
    "Catalog",
    "Feature",
    "GoModule",
    "Image",
    "Kind",
    "NeededOn",
    "Product",
    "PythonSource",
    "Source",
    "Sources",
    "Upstream",
]

PYTHON_OF_BASES = "3.11"
"""The Python of the Debian release that bases are made of."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
RelativePath = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$")
]
ModuleName = Annotated[str, StringConstraints(pattern=r"^gedge_provision(\.[a-z_]+)*$")]
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9_.-]+)+$")]
Version = Annotated[str, StringConstraints(pattern=r"^v\d+\.\d+\.\d+")]

_FOLDERS = {
    "binary": PurePosixPath("/usr/local/bin"),
    "chart": PurePosixPath("/var/lib/gedge/charts"),
    "cni_plugin": PurePosixPath("/opt/cni/bin"),
}


class Kind(StrEnum):
    """What an artifact is, and so how it is installed."""

    BINARY = "binary"
    CHART = "chart"
    CNI_PLUGIN = "cni_plugin"
    IMAGE = "image"


class NeededOn(StrEnum):
    """Which hosts need an artifact; `bench` is no host but the machine that measures."""

    ALL = "all"
    BENCH = "bench"
    CONTROL_PLANE = "control_plane"
    FIRST_CONTROL_PLANE = "first_control_plane"
    LAB = "lab"


class Feature(StrEnum):
    """What a site may use beyond the core; an artifact with a feature goes only to sites that use it."""

    EMULATED_GPUS = "emulated_gpus"
    GPU = "gpu"
    GPU_CHART = "gpu_chart"
    GSE_API_SERVER = "gse_api_server"
    METRICS_SERVER = "metrics_server"
    MULTUS = "multus"
    PERF = "perf"
    RDMA = "rdma"
    SOFT_RDMA = "soft_rdma"
    SRIOV = "sriov"
    WHEREABOUTS = "whereabouts"


class Source(StrEnum):
    """Where an artifact is made or fetched from."""

    BUILD = "build"
    UPSTREAM = "upstream"


@dataclass(frozen=True)
class GoModule:
    """The text of the two files that pin everything a product is built from."""

    go_mod: str
    go_sum: str


@dataclass(frozen=True)
class PythonSource:
    """What an image with a module of this package is made of.

    Attributes:
        requirements: the packages that it needs, each with version and hashes, as pip reads them.
        files: our own files that it needs, by path from the folder that Python imports from.
    """

    requirements: str
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Sources:
    """What the repository itself contributes to artifacts.

    Attributes:
        modules: the Go module of each product.
        programs: the files of each program of ours (programs/NAME) and of its library, by relative path.
        python: what each module of this package that is put into an image is made of, by its name.
    """

    modules: Mapping[str, GoModule]
    programs: Mapping[str, Mapping[str, bytes]]
    python: Mapping[str, PythonSource] = field(default_factory=dict)


class Product(Document):
    """One Go module of ours (gobuild/NAME) that pins a product and everything it is built from.

    `variables` are set by the linker (-X); {version}, {major} and {minor} stand for the product's version.
    """

    module: str
    version: Version
    cgo: bool = False
    tags: tuple[str, ...] = ()
    variables: dict[str, str] = Field(default_factory=dict)


class Base(Document):
    """A small file system made of extracted Debian packages; `links` maps a path to the target of a symbolic link."""

    purpose: str
    release: Name
    packages: tuple[Name, ...] = Field(min_length=1)
    links: dict[AbsolutePath, str] = Field(default_factory=dict)


class Build(Document):
    """How a program is built.

    One of: a Go package of a product; a C file inside the product's module, with -D `defines`; a Python program of ours
    (the folder programs/PROGRAM, with what it shares from programs/LIBRARY, packed into one executable file); a module
    of this package with everything that it imports, and the packages of pybuild/REQUIREMENTS without what of them is
    left out (folders, from where Python imports).
    """

    product: Name | None = None
    package: str | None = None
    c_source: str | None = None
    defines: dict[str, str] = Field(default_factory=dict)
    program: Name | None = None
    library: Name | None = None
    module: ModuleName | None = None
    requirements: Name | None = None
    leave_out: tuple[RelativePath, ...] = ()

    @model_validator(mode="after")
    def _one_language(self) -> Self:
        if (self.package, self.c_source, self.program, self.module).count(None) != 3:  # noqa: PLR2004 - one of four
            raise ValueError(
                "exactly one of package, c_source, program and module is needed -> name the Go package, the C file or "
                "ours"
            )
        if (self.program is None and self.module is None) != (self.product is not None):
            raise ValueError("a Go package and a C file, and nothing else, belong to a product")
        if self.defines and self.c_source is None:
            raise ValueError("defines are for c_source only -> a Go product takes variables")
        if self.library is not None and self.program is None:
            raise ValueError("library is for program only -> a Go package names what it needs in go.mod")
        if (self.module is None) != (self.requirements is None) or (self.leave_out and self.module is None):
            raise ValueError("a module, and nothing else, has requirements -> name its folder in pybuild/")
        return self


class Image(Document):
    """How an image is assembled: a base, if any, a program, and files of the product's Go module.

    Without a base it holds nothing else; without a program it is its base. A Python module has a `folder` instead of a
    program: Python imports from there.
    """

    program: AbsolutePath | None = None
    folder: AbsolutePath | None = None
    files: dict[AbsolutePath, RelativePath] = Field(default_factory=dict)
    entrypoint: tuple[str, ...] = Field(min_length=1)
    command: tuple[str, ...] = ()
    base: Name | None = None
    user: Annotated[str, StringConstraints(pattern=r"^\d+:\d+$")] | None = None
    stand_in_for: str | None = None


class Upstream(Document):
    """The official file (url; `member` inside a tar archive) or registry reference.

    `sha256` pins the downloaded file or the image's manifest; without it this source is refused. A file that is
    published only inside an image has a reference, and its path there as `member`.
    """

    url: Annotated[str, StringConstraints(pattern=r"^https?://")] | None = None
    member: str | None = None
    reference: str | None = None
    sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.url is None) == (self.reference is None):
            raise ValueError("exactly one of url and reference is needed -> files have a url, images a reference")
        return self

    @property
    def is_image(self) -> bool:
        """Whether it is an image, and not a file of one."""
        return self.reference is not None and self.member is None


class Artifact(Document):
    """One thing that a role may install.

    Attributes:
        feature: only sites that use it need this artifact; unset: every site does.
        build: how its program is made; an image that is only its base has none, nor has a chart.
        upstream: what is ours alone has none, and is built also where everything else is fetched.
    """

    name: Name
    kind: Kind
    version: Version
    purpose: str = Field(min_length=1)
    needed_on: tuple[NeededOn, ...] = Field(min_length=1)
    feature: Feature | None = None
    reference: str | None = None
    build: Build | None = None
    image: Image | None = None
    upstream: Upstream | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        is_image = self.kind is Kind.IMAGE
        if is_image != (self.reference is not None) or is_image != (self.image is not None):
            raise ValueError("an image, and nothing else, has a reference and an image section")
        if self.kind is Kind.CHART:
            self._check_chart()
        elif self.image is None and self.build is None:
            raise ValueError("a file needs a build section")
        if self.image is not None:
            self._check_image(self.image)
        if self.upstream is not None and is_image != self.upstream.is_image:
            raise ValueError("the upstream of an image is a reference, that of a file a url or a member of an image")
        return self

    def _check_chart(self) -> None:
        if self.build is not None or self.upstream is None or self.upstream.url is None or self.upstream.member:
            raise ValueError("a chart is its publisher's file -> give it an upstream with a url, and nothing else")

    def _check_image(self, image: Image) -> None:
        module = self.build is not None and self.build.module is not None
        if (image.program is None) != (self.build is None or module) or (image.folder is None) == module:
            raise ValueError("an image with a build section, and no other, has a program; one with a module a folder")
        if module and image.base is None:
            raise ValueError("a module needs a base that has Python")
        if self.build is None and image.base is None:
            raise ValueError("an image without a program needs a base")
        if image.files and (self.build is None or self.build.product is None):
            raise ValueError("files are those of a product's Go module -> name the product in build")

    @property
    def on_hosts(self) -> bool:
        """Whether hosts need it; anything else is made and packed only when it is named."""
        return self.needed_on != (NeededOn.BENCH,)

    @property
    def only_upstream(self) -> bool:
        """Whether it cannot be made here: it comes from its publisher, or out of an archive."""
        return self.build is None and self.image is None

    @property
    def product(self) -> str | None:
        """The product that it is built from, if any."""
        return self.build.product if self.build else None

    @property
    def target(self) -> str:
        """Where it goes on a host: the path of a file, or the reference of an image."""
        if self.reference is not None:
            return self.reference
        name = f"{self.name}-{self.version}.tgz" if self.kind is Kind.CHART else self.name
        return str(_FOLDERS[self.kind.value] / name)


class Catalog(Document):
    """All artifacts, sorted by name, and what they are built from."""

    products: dict[Name, Product]
    bases: dict[Name, Base]
    artifacts: tuple[Artifact, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [artifact.name for artifact in self.artifacts]
        if names != sorted(set(names)):
            raise ValueError("artifacts are not sorted by name, or a name stands twice")
        for artifact in self.artifacts:
            self._check_sources(artifact)
        return self

    def _check_sources(self, artifact: Artifact) -> None:
        if artifact.product is not None:
            product = self.products.get(artifact.product)
            if product is None:
                raise ValueError(f"{artifact.name}: unknown product {artifact.product!r} -> add it to products")
            if product.version != artifact.version:
                raise ValueError(
                    f"{artifact.name}: version {artifact.version} is not {product.version} of its product "
                    f"{artifact.product} -> change both"
                )
        if artifact.image and artifact.image.base and artifact.image.base not in self.bases:
            raise ValueError(f"{artifact.name}: unknown base {artifact.image.base!r} -> add it to bases")

    def artifact(self, name: str) -> Artifact | None:
        """Return the artifact of that name, or None."""
        return next((artifact for artifact in self.artifacts if artifact.name == name), None)
