"""Programs of ours that run on nodes: Python, packed into one executable file each."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

from gedge_provision.models.errors import GedgeError

__all__ = ["pack_program", "read_programs"]

_START = b"#!/usr/bin/python3\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows


def read_programs(folder: Path, names: Collection[str]) -> dict[str, dict[str, bytes]]:
    """Read the files of programs, by relative path, in order of their names.

    Raises:
        GedgeError: a program is missing, as in an incomplete installation.
    """
    programs = {}
    for name in names:
        root = folder / name
        files = {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.py"))}
        if "__main__.py" not in files:
            raise GedgeError(
                f"the program {name} cannot be read: it has no __main__.py",
                place=str(root),
                remedy="install gedge-provision again, or restore this folder from git",
            )
        programs[name] = files
    return programs


def pack_program(files: Mapping[str, bytes], output: Path) -> None:
    """Write a program as one file that Python runs (PEP 441); equal files give equal bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    output.write_bytes(_START + packed.getvalue())
    output.chmod(0o755)
