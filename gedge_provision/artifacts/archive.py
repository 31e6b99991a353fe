"""The store as one file: packed on a machine with a network, unpacked on one without."""

from __future__ import annotations

from pathlib import Path

from gedge_provision.adapters import archives
from gedge_provision.adapters.store import Store, digest_of
from gedge_provision.artifacts.build import check_names
from gedge_provision.artifacts.resolve import resolve
from gedge_provision.models.catalog import Catalog
from gedge_provision.models.errors import UsageError
from gedge_provision.models.progress import Reporter, step
from gedge_provision.models.stored import StoredArtifact

__all__ = ["pack", "unpack"]


def pack(catalog: Catalog, store: Store, file: Path, reporter: Reporter, names: tuple[str, ...] = ()) -> str:
    """Write artifacts into one archive and return its sha256.

    Without names it is all that hosts need, but for what comes from publishers only and is not in the store.

    Raises:
        UsageError: a name is unknown, or the archive cannot be where it is asked for.
        GedgeError: the store lacks something or is damaged, or the archive cannot be written.
    """
    if not file.parent.is_dir():
        raise UsageError("no such folder", place=str(file.parent), remedy="make it, or choose another")
    if file.is_dir():
        raise UsageError("this is a folder", place=str(file), remedy=f"name a file in it: {file / 'artifacts.tar'}")
    stored = store.entries()
    only_upstream = {artifact.name for artifact in catalog.artifacts if artifact.only_upstream}
    wanted = [name for name in check_names(catalog, names) if names or name in stored or name not in only_upstream]
    found = resolve(catalog, store, wanted)
    with step(reporter, title := f"pack {len(found)} artifacts into {file}"):
        return archives.pack_store(found, file, lambda name: reporter.update(title, name))


def unpack(store: Store, file: Path, reporter: Reporter, sha256: str | None = None) -> tuple[StoredArtifact, ...]:
    """Put the artifacts of an archive into the store; all of it is checked before anything is placed.

    Args:
        store: where to put them.
        file: the archive.
        reporter: is told the progress.
        sha256: the digest that `pack` printed; the archive must have it.

    Raises:
        UsageError: it is no archive of ours, is damaged or has another digest; the store is as it was.
        GedgeError: another process changes the store, or it cannot be written.
    """
    if file.is_dir():
        raise UsageError(
            "this is a folder", place=str(file), remedy="name a file in it that `gedge artifacts pack` wrote"
        )
    if not file.is_file():
        raise UsageError("no such file", place=str(file), remedy="name a file that `gedge artifacts pack` wrote")
    with store.locked(), step(reporter, title := f"unpack {file}"):
        if sha256 is not None and digest_of(file) != sha256.lower():
            raise UsageError("the archive has another sha256", place=str(file), remedy="copy it again")
        return archives.unpack_store(file, store, lambda name: reporter.update(title, name))
