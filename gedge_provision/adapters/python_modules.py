"""Modules of this package that are put into images: what they import of it, and the packages that they need."""

from __future__ import annotations

import ast
import platform
import sys
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Mapping
from io import BytesIO
from pathlib import Path

from gedge_provision.adapters import processes
from gedge_provision.models.catalog import PYTHON_OF_BASES, PythonSource
from gedge_provision.models.errors import GedgeError

__all__ = ["pack_module", "read_sources"]

_PACKAGE = Path(__file__).resolve().parent.parent
_NOT_OURS = ("_content", "__pycache__")
# Notes of pip about this one installation, and programs of packages: nothing that is imported.
_NOTES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
_PROGRAMS = "bin"
_EXACT = ("--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile", "--implementation=cp")


def read_sources(folder: Path, modules: Mapping[str, str]) -> dict[str, PythonSource]:
    """Read what modules are made of.

    Args:
        folder: where the requirements have their folders.
        modules: modules of this package, each with the name of its requirements.

    Raises:
        GedgeError: something is missing, as in an incomplete installation.
    """
    return {
        module: PythonSource(_read(folder / name / "requirements.txt"), _files(module))
        for module, name in modules.items()
    }


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise _missing(f"the requirements cannot be read: {error.strerror}", path) from error


def _files(module: str) -> dict[str, bytes]:
    """Return the modules that one reaches by imports, wherever they stand in a file, and the data of their packages."""
    found: dict[str, bytes] = {}
    ahead = [f"{module}.__main__"]
    while ahead:
        name = ahead.pop()
        path = _path(name)
        if path is None or (key := _key(path)) in found:
            continue
        found[key] = path.read_bytes()
        parents = name.split(".")[:-1]
        ahead += [".".join(parents[: end + 1]) for end in range(len(parents))]
        ahead += _imported(found[key])
    if not found:
        raise _missing(f"the module {module} cannot be read", _PACKAGE)
    found |= {_key(path): path.read_bytes() for path in _data() if _key(_home(path)) in found}
    return dict(sorted(found.items()))


def _path(name: str) -> Path | None:
    """Return the file of a module; None of a name that is none: a class, or a function."""
    first, *rest = name.split(".")
    if first != _PACKAGE.name:
        return None
    stem = _PACKAGE.joinpath(*rest)
    found = [path for path in (stem / "__init__.py", stem.with_suffix(".py")) if path.is_file()]
    return found[0] if found else None


def _imported(text: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _data() -> Iterator[Path]:
    for path in _PACKAGE.rglob("*"):
        if path.is_file() and path.suffix != ".py" and not set(path.relative_to(_PACKAGE).parts) & set(_NOT_OURS):
            yield path


def _home(path: Path) -> Path:
    """Return the file of the package that a file of data belongs to."""
    homes = [folder / "__init__.py" for folder in path.parents if folder.is_relative_to(_PACKAGE)]
    return next(home for home in homes if home.is_file())


def _key(path: Path) -> str:
    return str(path.relative_to(_PACKAGE.parent))


def _missing(message: str, place: Path) -> GedgeError:
    return GedgeError(
        message, place=str(place), remedy="install gedge-provision again, or restore this folder from git"
    )


def pack_module(source: PythonSource, leave_out: Collection[str], output: Path) -> None:
    """Write an archive with a module, what it imports and the packages that it needs, for the Python of the bases.

    The same files and requirements give the same bytes, whatever Python this machine has.

    Args:
        source: what it is made of.
        leave_out: folders of packages that nothing imports.
        output: the archive.

    Raises:
        GedgeError: a package cannot be had, or has none of the digests that are asked for.
    """
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".packages-") as folder:
        requirements, packages = Path(folder) / "requirements.txt", Path(folder) / "packages"
        requirements.write_text(source.requirements, encoding="utf-8")
        try:
            processes.run(
                [sys.executable, "-m", "pip", "install", *_target(), f"--target={packages}", f"-r{requirements}"]
            )
        except processes.CommandError as error:
            raise GedgeError(
                f"Python packages of an image cannot be installed:\n{error.output}",
                remedy="let this machine reach a package index (pip config), or unpack an archive that has the image",
            ) from error
        unneeded = tuple(f"{name}/" for name in leave_out)
        names = {str(path.relative_to(packages)): path for path in _installed(packages)}
        contents = {name: path.read_bytes() for name, path in names.items() if not name.startswith(unneeded)}
    with tarfile.open(output, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in sorted((contents | dict(source.files)).items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, BytesIO(content))


def _target() -> list[str]:
    """Return pip's options for the Python of the bases: the C library of Debian 12 is 2.36."""
    machine = platform.machine()
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in (34, 28, 17)]
    abis = [f"--abi=cp{PYTHON_OF_BASES.replace('.', '')}", "--abi=abi3", "--abi=none"]
    return [*_EXACT, f"--python-version={PYTHON_OF_BASES}", *platforms, f"--platform=manylinux2014_{machine}", *abis]


def _installed(packages: Path) -> Iterator[Path]:
    for path in packages.rglob("*"):
        parts = path.relative_to(packages).parts
        if path.is_file() and parts[0] != _PROGRAMS and not (parts[0].endswith(".dist-info") and path.name in _NOTES):
            yield path
