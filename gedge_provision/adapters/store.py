"""The artifact store: files by their sha256, and an index that says which artifact is which file.

Layout:
    index.json              what is stored; written last, so a file that it names is complete
    blobs/sha256/<digest>   the files
    work/                   unfinished things; whoever holds the lock may remove them
    lock                    held while something is added or removed

A store can be mounted read-only elsewhere: reading needs nothing but index.json and the blobs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from gedge_provision.models.errors import GedgeError
from gedge_provision.models.stored import StoredArtifact

__all__ = ["FORMAT", "INDEX_FIELDS", "Damage", "Store", "digest_of", "index_entry", "parse_index"]

FORMAT = 1
"""Version of the index; an archive carries the same."""
INDEX_FIELDS = ("kind", "version", "sha256", "size", "target", "source", "recipe", "toolchain")
_HASHING_THREADS = 2


@dataclass(frozen=True)
class Damage:
    """A stored file that is not what the index says: `problem` in a few words."""

    artifact: StoredArtifact
    problem: str


def digest_of(path: Path) -> str:
    """Return the sha256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def index_entry(artifact: StoredArtifact) -> dict[str, str | int]:
    """Return an artifact as it stands in the index."""
    return {field: getattr(artifact, field) for field in INDEX_FIELDS}


def parse_index(text: str, root: Path, place: str) -> dict[str, StoredArtifact]:
    """Read an index.

    Args:
        text: the JSON.
        root: the store that its files lie in.
        place: what to name in an error.

    Raises:
        GedgeError: it is not an index of this format.
    """
    try:
        document: Any = json.loads(text)
        if document["format"] != FORMAT:
            raise GedgeError(
                f"format {document['format']} of the artifact index is unknown", place=place, remedy="update gedge"
            )
        return {
            name: StoredArtifact(
                name=name, path=root / "blobs" / "sha256" / entry["sha256"], **{key: entry[key] for key in INDEX_FIELDS}
            )
            for name, entry in sorted(document["artifacts"].items())
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GedgeError(
            f"the artifact index is damaged ({error!r})",
            place=place,
            remedy="remove this file and run: gedge artifacts build",
        ) from error


class Store:
    """The artifacts on this machine.

    Args:
        root: its folder; need not exist yet.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._index = root / "index.json"
        self._writing = Lock()

    @property
    def work(self) -> Path:
        """Folder for unfinished things, on the same file system as the blobs."""
        return self.root / "work"

    def entries(self) -> Mapping[str, StoredArtifact]:
        """Return what is stored, by name; fast, files are not looked at.

        Raises:
            GedgeError: the index is damaged.
        """
        try:
            text = self._index.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return parse_index(text, self.root, str(self._index))

    def verify(self) -> list[Damage]:
        """Hash every stored file again and return those that differ."""
        with ThreadPoolExecutor(_HASHING_THREADS) as pool:
            problems = pool.map(_problem, stored := list(self.entries().values()))
            return [Damage(artifact, problem) for artifact, problem in zip(stored, problems, strict=True) if problem]

    def put(self, file: Path, artifact: StoredArtifact) -> StoredArtifact:
        """Move a finished file into the store and index it; an older artifact of that name is replaced.

        Args:
            file: on the same file system (see `work`).
            artifact: its description; digest, size and path are computed here.
        """
        digest = digest_of(file)
        target = self.root / "blobs" / "sha256" / digest
        target.parent.mkdir(parents=True, exist_ok=True)
        file.chmod(0o644 if artifact.kind == "image" else 0o755)
        size = file.stat().st_size
        _sync(file)
        file.replace(target)
        _sync(target.parent)
        stored = StoredArtifact(
            **{
                **index_entry(artifact),  # type: ignore[arg-type]
                "name": artifact.name,
                "sha256": digest,
                "size": size,
                "path": target,
            }
        )
        with self._writing:
            self._write_index({**self.entries(), stored.name: stored})
        return stored

    def forget(self, names: set[str]) -> None:
        """Remove artifacts from the index; `sweep` then removes their files."""
        with self._writing:
            self._write_index({name: entry for name, entry in self.entries().items() if name not in names})

    def sweep(self) -> None:
        """Remove what the index does not name: replaced files and unfinished work. Needs the lock."""
        known = {artifact.sha256 for artifact in self.entries().values()}
        blobs = self.root / "blobs" / "sha256"
        for blob in blobs.iterdir() if blobs.is_dir() else ():
            if blob.name not in known:
                blob.unlink()
        shutil.rmtree(self.work, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Exclude every other writer.

        Raises:
            GedgeError: another process holds the lock, or the store cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            file = (self.root / "lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                raise GedgeError(
                    f"process {file.read().strip() or 'unknown'} is changing the artifact store",
                    place=str(self.root),
                    remedy="wait until it ends, then run the same command again",
                ) from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            try:
                self.work.mkdir(exist_ok=True)
                yield
            except OSError as error:
                raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> GedgeError:
        return GedgeError(
            f"the artifact store cannot be written: {error.strerror or error}",
            place=str(error.filename or self.root),
            remedy="free space or permissions, or choose another place with GEDGE_CACHE_DIR",
        )

    def _write_index(self, entries: Mapping[str, StoredArtifact]) -> None:
        document = {
            "format": FORMAT,
            "artifacts": {name: index_entry(artifact) for name, artifact in sorted(entries.items())},
        }
        temporary = self._index.with_suffix(".new")
        temporary.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        _sync(temporary)
        temporary.replace(self._index)
        _sync(self.root)


def _problem(artifact: StoredArtifact) -> str:
    try:
        size = artifact.path.stat().st_size
        if size != artifact.size:
            return f"{size} bytes instead of {artifact.size}"
        digest = digest_of(artifact.path)
    except FileNotFoundError:
        return "the file is missing"
    except OSError as error:
        return f"the file cannot be read: {error.strerror}"
    return "" if digest == artifact.sha256 else f"its sha256 is {digest[:12]}..."


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
