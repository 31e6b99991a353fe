"""Reading documents and writing files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from gedge_provision.models.documents import Source, parse_yaml
from gedge_provision.models.errors import UsageError

__all__ = ["read_document", "write_atomically"]


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
