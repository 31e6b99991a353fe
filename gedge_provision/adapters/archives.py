"""Archives: one file out of a published one, and the store as one file for hosts without a network."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO

from gedge_provision.adapters.store import FORMAT, Store, digest_of, index_entry, parse_index
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.stored import StoredArtifact

__all__ = ["extract_member", "pack_store", "unpack_store"]

_INDEX = "index.json"
_CHECKSUM = "index.json.sha256"
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_LARGEST_INDEX = 16 << 20


def extract_member(archive: Path, member: str, target: Path, place: str) -> None:
    """Write one file of a tar archive (of any compression) to `target`.

    Raises:
        GedgeError: it is no archive, or has no such file.
    """
    try:
        with tarfile.open(archive) as tar:
            entry = tar.getmember(member)
            content = tar.extractfile(entry) if entry.isreg() else None
            if content is None:
                raise GedgeError(f"{member} is no file in the archive", place=place)
            with target.open("wb") as file:
                shutil.copyfileobj(content, file)
    except KeyError as error:
        raise GedgeError(
            f"the archive has no file {member}", place=place, remedy="check upstream.member in the catalog"
        ) from error
    except (tarfile.TarError, OSError, EOFError) as error:
        raise GedgeError(f"the archive cannot be read: {error}", place=place) from error


def pack_store(artifacts: Collection[StoredArtifact], file: Path, watch: Callable[[str], None]) -> str:
    """Write artifacts with their index as one archive; equal artifacts give equal bytes.

    Args:
        artifacts: what to pack.
        file: the archive; appears when it is complete.
        watch: is told the name of each artifact when its turn comes.

    Returns:
        The archive's sha256.

    Raises:
        GedgeError: a stored file is damaged, or the archive cannot be written.
    """
    ordered = sorted(artifacts, key=lambda artifact: artifact.name)
    index = json.dumps(
        {"format": FORMAT, "artifacts": {artifact.name: index_entry(artifact) for artifact in ordered}},
        indent=1,
        sort_keys=True,
    ).encode()
    partial = file.with_name(f".{file.name}.partial")
    try:
        with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as tar:
            _add(tar, _INDEX, len(index), io.BytesIO(index))
            checksum = f"{hashlib.sha256(index).hexdigest()}  {_INDEX}\n".encode()
            _add(tar, _CHECKSUM, len(checksum), io.BytesIO(checksum))
            packed: set[str] = set()
            for artifact in ordered:
                watch(artifact.name)
                if artifact.sha256 not in packed:
                    _add_blob(tar, artifact)
                    packed.add(artifact.sha256)
        _sync(partial)
        digest = digest_of(partial)
        partial.replace(file)
    except OSError as error:
        raise GedgeError(f"the archive cannot be written: {error.strerror or error}", place=str(file)) from error
    finally:
        partial.unlink(missing_ok=True)
    return digest


def unpack_store(file: Path, store: Store, watch: Callable[[str], None]) -> tuple[StoredArtifact, ...]:
    """Put an archive's artifacts into a store; everything is checked before anything is placed.

    Needs the store's lock.

    Raises:
        UsageError: it is no archive of ours, or damaged; the store is as it was.
        OSError: the store cannot be written; the lock turns it into a GedgeError.
    """
    place = str(file)
    staging = store.work / "unpack"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        try:
            tar = tarfile.open(file)  # noqa: SIM115 - closed right below; only opening may fail with these
        except (tarfile.TarError, FileNotFoundError, IsADirectoryError) as error:
            raise UsageError(
                f"this is no archive: {error}", place=place, remedy="name a file that `gedge artifacts pack` wrote"
            ) from error
        with tar:
            wanted = _stage(tar, staging, store, place, watch)
        return tuple(store.put(staging / artifact.name, artifact) for artifact in wanted)
    except tarfile.TarError as error:
        raise UsageError(f"the archive is damaged: {error}", place=place, remedy="copy or pack it again") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _stage(
    tar: tarfile.TarFile, staging: Path, store: Store, place: str, watch: Callable[[str], None]
) -> list[StoredArtifact]:
    members = _members(tar, place)
    index = _read(tar, members, _INDEX, place)
    checksum = _read(tar, members, _CHECKSUM, place).split()
    if not checksum or checksum[0].decode(errors="replace") != hashlib.sha256(index).hexdigest():
        raise UsageError("its index does not have the recorded sha256", place=place, remedy="copy or pack it again")
    wanted = parse_index(index.decode(errors="replace"), store.root, f"{place}:{_INDEX}")
    blobs = {f"blobs/sha256/{artifact.sha256}" for artifact in wanted.values()}
    if blobs != set(members) - {_INDEX, _CHECKSUM}:
        raise UsageError("its files are not those of its index", place=place, remedy="copy or pack it again")
    for artifact in wanted.values():
        watch(artifact.name)
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", artifact.name):
            raise UsageError(f"its index has the strange name {artifact.name!r}", place=place)
        _stage_blob(tar, members[f"blobs/sha256/{artifact.sha256}"], artifact, staging / artifact.name, place)
    return list(wanted.values())


def _members(tar: tarfile.TarFile, place: str) -> dict[str, tarfile.TarInfo]:
    members: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        known = member.name in {_INDEX, _CHECKSUM} or _BLOB.fullmatch(member.name)
        if not known or not member.isreg() or member.name in members:
            raise UsageError(
                f"it holds {member.name!r}, which no archive of ours has; nothing was unpacked",
                place=place,
                remedy="name a file that `gedge artifacts pack` wrote",
            )
        members[member.name] = member
    return members


def _read(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str, place: str) -> bytes:
    member = members.get(name)
    content = tar.extractfile(member) if member and member.size <= _LARGEST_INDEX else None
    if content is None:
        raise UsageError(f"it has no {name}", place=place, remedy="name a file that `gedge artifacts pack` wrote")
    return content.read()


def _stage_blob(
    tar: tarfile.TarFile, member: tarfile.TarInfo, artifact: StoredArtifact, target: Path, place: str
) -> None:
    content = tar.extractfile(member)
    if content is not None and member.size == artifact.size:
        with target.open("wb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
        if digest_of(target) == artifact.sha256:
            return
    raise UsageError(
        f"{artifact.name} does not have its recorded size and sha256; nothing was unpacked",
        place=place,
        remedy="copy or pack the archive again",
    )


def _add_blob(tar: tarfile.TarFile, artifact: StoredArtifact) -> None:
    if not artifact.path.is_file() or digest_of(artifact.path) != artifact.sha256:
        raise GedgeError(
            f"{artifact.name} is damaged in the store", place=str(artifact.path), remedy="run: gedge artifacts build"
        )
    with artifact.path.open("rb") as content:
        _add(tar, f"blobs/sha256/{artifact.sha256}", artifact.size, content)


def _add(tar: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    tar.addfile(member, content)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
