"""Packing and unpacking the store, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gedge_provision.adapters.archives import extract_member, pack_store, unpack_store
from gedge_provision.adapters.store import Store, digest_of
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.stored import StoredArtifact

Members = dict[str, bytes]


def put(store: Store, name: str, content: bytes, kind: str = "binary") -> None:
    store.work.mkdir(parents=True, exist_ok=True)
    file = store.work / "new"
    file.write_bytes(content)
    store.put(file, StoredArtifact(name, kind, "v1.0.0", "", 0, file, f"/usr/local/bin/{name}", "build", "recipe"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    put(store, "kubelet", b"kubelet program")
    put(store, "pause", b"an image", kind="image")
    put(store, "twin", b"an image", kind="image")
    return store


@pytest.fixture
def packed(store: Store, tmp_path: Path) -> Path:
    pack_store(list(store.entries().values()), tmp_path / "all.tar", lambda _: None)
    return tmp_path / "all.tar"


def _unpack(file: Path, root: Path) -> Store:
    target = Store(root)
    with target.locked():
        unpack_store(file, target, lambda _: None)
    return target


def _read(file: Path) -> Members:
    with tarfile.open(file) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def _write(file: Path, members: Members) -> None:
    with tarfile.open(file, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def test_round_trip(store: Store, packed: Path, tmp_path: Path) -> None:
    other = _unpack(packed, tmp_path / "other")
    assert {n: (a.sha256, a.target, a.recipe) for n, a in other.entries().items()} == {
        n: (a.sha256, a.target, a.recipe) for n, a in store.entries().items()
    }
    assert other.verify() == []
    assert not (other.work / "unpack").exists()


def test_equal_stores_give_equal_bytes(store: Store, packed: Path, tmp_path: Path) -> None:
    artifacts = list(reversed(store.entries().values()))
    digest = pack_store(artifacts, tmp_path / "again.tar", lambda _: None)
    assert (tmp_path / "again.tar").read_bytes() == packed.read_bytes()
    assert digest == digest_of(packed)


def test_unpacking_keeps_what_else_is_stored(packed: Path, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    put(other, "kubelet", b"older")
    put(other, "mine", b"mine")
    _unpack(packed, other.root)
    assert set(other.entries()) == {"kubelet", "mine", "pause", "twin"}
    assert other.entries()["kubelet"].path.read_bytes() == b"kubelet program"


def test_a_damaged_store_is_not_packed(store: Store, tmp_path: Path) -> None:
    store.entries()["kubelet"].path.write_bytes(b"kubelet pr0gram")
    with pytest.raises(GedgeError, match="kubelet is damaged"):
        pack_store(list(store.entries().values()), tmp_path / "bad.tar", lambda _: None)
    assert list(tmp_path.glob("*bad.tar*")) == []


def _blob(members: Members, content: bytes) -> str:
    return next(name for name, found in members.items() if found == content)


def _flip(members: Members) -> None:
    members[_blob(members, b"kubelet program")] = b"kubelet pr0gram"


def _shorten(members: Members) -> None:
    members[_blob(members, b"kubelet program")] = b"kubelet"


def _drop(members: Members) -> None:
    del members[_blob(members, b"kubelet program")]


def _escape(members: Members) -> None:
    members["../../escaped"] = b"x"


def _absolute(members: Members) -> None:
    members["/tmp/gedge-escaped"] = b"x"


def _extra(members: Members) -> None:
    members["blobs/sha256/" + "0" * 64] = b"x"


def _edit_index(members: Members) -> None:
    members["index.json"] = members["index.json"].replace(b"/usr/local/bin", b"/usr/local/sbin")


def _no_index(members: Members) -> None:
    del members["index.json"]


def _strange_name(members: Members) -> None:
    index = json.loads(members["index.json"])
    index["artifacts"]["../../kubelet"] = index["artifacts"].pop("kubelet")
    members["index.json"] = json.dumps(index).encode()
    members["index.json.sha256"] = hashlib.sha256(members["index.json"]).hexdigest().encode()


@pytest.mark.parametrize(
    "spoil", [_flip, _shorten, _drop, _escape, _absolute, _extra, _edit_index, _no_index, _strange_name]
)
def test_a_spoiled_archive_changes_nothing(packed: Path, tmp_path: Path, spoil: Callable[[Members], None]) -> None:
    members = _read(packed)
    spoil(members)
    _write(packed, members)
    other = Store(tmp_path / "other")
    with pytest.raises(UsageError):
        _unpack(packed, other.root)
    assert other.entries() == {}
    assert not (other.root / "blobs").exists()
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_only_plain_files_are_accepted(packed: Path, tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(packed, "a") as tar:
        entry = tarfile.TarInfo("blobs/sha256/" + "0" * 64)
        entry.type, entry.linkname = kind, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(UsageError, match="no archive of ours has"):
        _unpack(packed, tmp_path / "other")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_truncated_archive_changes_nothing(packed: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = packed.read_bytes()
    # The last 1024 bytes and the padding before are zeros that end the archive; losing them loses nothing.
    end = content.rstrip(b"\0")
    short = tmp_path / "short.tar"
    short.write_bytes(content[: data.draw(st.integers(0, len(end) - 1))])
    with pytest.raises(UsageError):
        _unpack(short, tmp_path / "other")
    assert Store(tmp_path / "other").entries() == {}


def test_extract_member(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as tar:
        entry = tarfile.TarInfo("bin/program")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"code"))
        folder = tarfile.TarInfo("bin")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    extract_member(tmp_path / "a.tgz", "bin/program", tmp_path / "program", "url")
    assert (tmp_path / "program").read_bytes() == b"code"
    with pytest.raises(GedgeError, match="no file bin/other"):
        extract_member(tmp_path / "a.tgz", "bin/other", tmp_path / "other", "url")
    with pytest.raises(GedgeError, match="is no file"):
        extract_member(tmp_path / "a.tgz", "bin", tmp_path / "other", "url")
    (tmp_path / "b.tgz").write_bytes(b"no archive")
    with pytest.raises(GedgeError, match="cannot be read"):
        extract_member(tmp_path / "b.tgz", "bin/program", tmp_path / "other", "url")
