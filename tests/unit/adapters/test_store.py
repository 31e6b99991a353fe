"""The artifact store on a real file system."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gedge_provision.adapters.store import Store
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.stored import StoredArtifact


def put(store: Store, name: str, content: bytes, kind: str = "binary") -> StoredArtifact:
    store.work.mkdir(parents=True, exist_ok=True)
    file = store.work / "new"
    file.write_bytes(content)
    described = StoredArtifact(
        name, kind, "v1.0.0", "", 0, file, f"/usr/local/bin/{name}", "build", "recipe", "go1.26.8"
    )
    return store.put(file, described)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_an_absent_store_is_empty(store: Store) -> None:
    assert store.entries() == {}
    assert store.verify() == []
    assert not store.root.exists()


def test_put_moves_hashes_and_indexes(store: Store) -> None:
    stored = put(store, "kubelet", b"program")
    assert stored.sha256 == hashlib.sha256(b"program").hexdigest()
    assert stored.size == 7
    assert stored.path.read_bytes() == b"program"
    assert stored.path.stat().st_mode & 0o777 == 0o755
    assert stored.install_path == "/usr/local/bin/kubelet"
    assert stored.reference is None
    assert not (store.work / "new").exists()
    assert Store(store.root).entries() == {"kubelet": stored}


def test_a_moved_store_still_finds_its_files(store: Store, tmp_path: Path) -> None:
    put(store, "kubelet", b"program")
    store.root.rename(tmp_path / "elsewhere")
    entry = Store(tmp_path / "elsewhere").entries()["kubelet"]
    assert entry.path.read_bytes() == b"program"


@pytest.mark.parametrize(
    ("content", "problem"), [(b"progrAm", "its sha256 is"), (b"prog", "4 bytes instead of 7"), (None, "missing")]
)
def test_verify_names_the_damaged(store: Store, content: bytes | None, problem: str) -> None:
    put(store, "sound", b"sound")
    damaged = put(store, "kubelet", b"program")
    if content is None:
        damaged.path.unlink()
    else:
        damaged.path.write_bytes(content)
    found = store.verify()
    assert [item.artifact.name for item in found] == ["kubelet"]
    assert problem in found[0].problem


def test_sweep_removes_what_was_replaced_or_never_finished(store: Store) -> None:
    old = put(store, "kubelet", b"old")
    same = put(store, "twin", b"old")
    new = put(store, "kubelet", b"new")
    (store.work / "half").write_bytes(b"half")
    store.sweep()
    assert same.path == old.path
    assert old.path.exists()
    store.forget({"twin"})
    store.sweep()
    assert not old.path.exists()
    assert new.path.exists()
    assert not store.work.exists()


def test_a_second_process_is_refused_and_named(store: Store) -> None:
    code = (
        "import sys, pathlib; from gedge_provision.adapters.store import Store\n"
        "with Store(pathlib.Path(sys.argv[1])).locked():\n print('held', flush=True)\n sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(store.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(GedgeError, match=f"process {other.pid} is changing") as caught, store.locked():
            pass
        assert "wait until it ends" in caught.value.remedy
        other.kill()
    with store.locked():  # gone with its process, also when killed
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "artifacts": {"a": {}}}'])
def test_a_damaged_index_is_an_error_with_a_remedy(store: Store, text: str) -> None:
    store.root.mkdir()
    (store.root / "index.json").write_text(text)
    with pytest.raises(GedgeError, match="damaged") as caught:
        store.entries()
    assert caught.value.place.endswith("index.json")
    assert "gedge artifacts build" in caught.value.remedy


def test_an_index_of_a_later_format_is_refused(store: Store) -> None:
    put(store, "kubelet", b"program")
    index = store.root / "index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"format": 99}))
    with pytest.raises(GedgeError, match="format 99"):
        store.entries()


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GedgeError, match="cannot be written"), Store(tmp_path / "file").locked():
        pass


def test_trouble_while_writing_is_an_error_with_a_place(store: Store) -> None:
    store.root.mkdir()
    (store.root / "blobs").write_text("no folder")
    with pytest.raises(GedgeError, match="cannot be written") as caught, store.locked():
        put(store, "kubelet", b"program")
    assert caught.value.place.startswith(str(store.root))
    assert store.entries() == {}
