"""Reading documents and writing files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from gedge_provision.models.documents import Source, parse_yaml
from gedge_provision.models.errors import UsageError

__all__ = ["check_place", "make_folder", "read_document", "write_atomically"]


def read_document(path: Path) -> Source:
    """Read and parse a YAML or JSON file.

    Raises:
        UsageError: it is missing, no file, not readable or not UTF-8.
        DocumentError: it is no valid YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError("no such file", place=str(path), remedy="check the path") from error
    except IsADirectoryError as error:
        raise UsageError("this is a folder", place=str(path), remedy="name a file in it") from error
    except UnicodeDecodeError as error:
        raise UsageError("the file is not UTF-8 text", place=str(path), remedy="save it as UTF-8") from error
    except OSError as error:
        raise UsageError(
            f"the file cannot be read: {error.strerror}", place=str(path), remedy="check its rights"
        ) from error
    return parse_yaml(text, str(path))


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old or the new content, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def make_folder(path: Path) -> None:
    """Make a folder that a person has named, unless it is there.

    Raises:
        UsageError: it cannot be made, or it is a file.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = "this is a file" if path.is_file() else f"the folder cannot be made: {error.strerror}"
        raise UsageError(problem, place=str(path), remedy="name another folder") from error


def check_place(path: Path) -> None:
    """Check that a file can be written here, before the work that it shall tell of.

    Raises:
        UsageError: its folder is missing or not writable, or it is a folder.
    """
    if path.is_dir():
        raise UsageError("this is a folder", place=str(path), remedy="name a file in it")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(
            "there is no such folder", place=str(path.parent), remedy="make it, or name another place"
        ) from error
    except OSError as error:
        raise UsageError(
            f"no file can be written here: {error.strerror}",
            place=str(path.parent),
            remedy="mend its rights, or name another place",
        ) from error
