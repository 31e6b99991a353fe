"""Programs of ours that run on nodes: Python, packed into one executable file each."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from gedge_provision.models.errors import GedgeError

__all__ = ["pack_program", "read_programs"]

_START = b"#!/usr/bin/python3\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows


def read_programs(folder: Path, names: Mapping[str, str | None]) -> dict[str, dict[str, bytes]]:
    """Read the files of programs, by relative path, in order of their names.

    Args:
        folder: where programs and libraries have their folders.
        names: programs, each with the library whose files go with it.

    Raises:
        GedgeError: a program or library is missing, as in an incomplete installation.
    """
    programs = {}
    for name, library in names.items():
        files = _files(folder / name)
        if "__main__.py" not in files:
            raise _missing(f"the program {name} cannot be read: it has no __main__.py", folder / name)
        shared = _files(folder / library) if library else {}
        if library and not shared:
            raise _missing(f"the library {library} of {name} cannot be read: it has no files", folder / library)
        programs[name] = dict(sorted((shared | files).items()))
    return programs


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.py"))}


def _missing(message: str, place: Path) -> GedgeError:
    return GedgeError(
        message, place=str(place), remedy="install gedge-provision again, or restore this folder from git"
    )


def pack_program(files: Mapping[str, bytes], output: Path) -> None:
    """Write a program as one file that Python runs (PEP 441); equal files give equal bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    output.write_bytes(_START + packed.getvalue())
    output.chmod(0o755)
