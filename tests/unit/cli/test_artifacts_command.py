"""`gedge artifacts` as a user calls it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.store import Store
from gedge_provision.cli import _ui, main
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


@dataclass(frozen=True)
class Done:
    """How a call of the command line ended."""

    returncode: int
    stdout: str
    stderr: str


Gedge = Callable[..., Done]


@pytest.fixture
def gedge(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Gedge:
    """Give a function that calls `gedge artifacts` on a store."""
    monkeypatch.setattr(_ui.console, "width", 200)

    def call(store: Store, *arguments: str) -> Done:
        monkeypatch.setenv("GEDGE_CACHE_DIR", str(store.root.parent))
        monkeypatch.setattr(sys, "argv", ["gedge", "artifacts", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        printed = capsys.readouterr()
        return Done(int(caught.value.code or 0), printed.out, printed.err)

    return call


def test_list(store: Store, gedge: Gedge) -> None:
    store.forget({"kubelet"})
    listed = {item["name"]: item for item in json.loads(gedge(store, "list", "--output", "json").stdout)}
    assert listed["kubelet"]["state"] == "missing"
    assert listed["kubelet"]["sha256"] is None
    assert listed["kubeadm"]["state"] == "outdated"
    assert listed["kubeadm"]["size"] == len("kubeadm")
    text = gedge(store, "list").stdout
    assert "containerd-shim-runc-v2" in text
    assert "missing" in text


def test_verify_names_the_damaged_and_fails(store: Store, gedge: Gedge) -> None:
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


def test_pack_and_unpack(store: Store, gedge: Gedge, tmp_path: Path) -> None:
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
        (("build", "--source", "upstream", "kubelet"), 1, "or use: gedge artifacts build --source build"),
        (("build", "--source", "upstream", "gpu-operator"), 1, "or use: gedge artifacts unpack FILE"),
    ],
)
def test_wrong_input_changes_nothing(
    store: Store, gedge: Gedge, arguments: tuple[str, ...], code: int, message: str
) -> None:
    before = store.entries()
    done = gedge(store, *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert store.entries() == before
    assert store.verify() == []
