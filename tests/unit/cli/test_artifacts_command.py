"""`gedge artifacts` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.store import Store
from gedge_provision.models.stored import StoredArtifact


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    store.work.mkdir(parents=True)
    for artifact in load_catalog().artifacts:
        file = store.work / "new"
        file.write_bytes(artifact.name.encode())
        store.put(
            file,
            StoredArtifact(
                artifact.name, artifact.kind.value, artifact.version, "", 0, file, artifact.target, "build", "old"
            ),
        )
    return store


def gedge(store: Store, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from gedge_provision.cli import main; main()", "artifacts", *arguments],
        env={"GEDGE_CACHE_DIR": str(store.root.parent), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_list(store: Store) -> None:
    store.forget({"kubelet"})
    listed = {item["name"]: item for item in json.loads(gedge(store, "list", "--output", "json").stdout)}
    assert listed["kubelet"]["state"] == "missing"
    assert listed["kubelet"]["sha256"] is None
    assert listed["kubeadm"]["state"] == "outdated"
    assert listed["kubeadm"]["size"] == len("kubeadm")
    text = gedge(store, "list").stdout
    assert "containerd-shim-runc-v2" in text
    assert "missing" in text


def test_verify_names_the_damaged_and_fails(store: Store) -> None:
    done = gedge(store, "verify")
    assert (done.returncode, done.stderr) == (0, "")
    store.entries()["kubelet"].path.write_bytes(b"kubelXt")
    done = gedge(store, "verify")
    assert done.returncode == 1
    assert "kubelet" in done.stderr
    assert "gedge artifacts build" in done.stderr
    done = gedge(store, "verify", "-o", "json")
    assert done.returncode == 1
    assert list(json.loads(done.stdout)["damaged"]) == ["kubelet"]


def test_pack_and_unpack(store: Store, tmp_path: Path) -> None:
    archive = tmp_path / "some.tar"
    done = gedge(store, "pack", str(archive), "kubelet", "pause", "-o", "json")
    digest = json.loads(done.stdout)["sha256"]
    other = Store(tmp_path / "other" / "store")
    done = gedge(other, "unpack", str(archive), "--sha256", digest, "-o", "json")
    assert json.loads(done.stdout)["placed"] == ["kubelet", "pause"]
    assert set(other.entries()) == {"kubelet", "pause"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("build", "kublet"), 2, "did you mean 'kubelet'?"),
        (("pack", "/nowhere/a.tar"), 2, "no such folder"),
        (("pack", "a.tar", "kublet"), 2, "did you mean"),
        (("unpack", "/nowhere.tar"), 2, "no such file"),
        (("unpack", "/etc/passwd"), 2, "this is no archive"),
        (("build", "--source", "moon"), 2, "Invalid value"),
        (("build", "--source", "upstream", "kubelet"), 1, "no digest is pinned"),
    ],
)
def test_wrong_input_changes_nothing(store: Store, arguments: tuple[str, ...], code: int, message: str) -> None:
    before = store.entries()
    done = gedge(store, *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert store.entries() == before
    assert store.verify() == []
