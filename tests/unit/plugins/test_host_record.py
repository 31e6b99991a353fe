"""The record of a host: what was there before comes back, and nothing of it stays when all is taken back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from plugins.module_utils import host_state
from plugins.module_utils.host_state import read_record, return_file, sync_file, write_record
from plugins.modules import managed_files

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files of root are written: run the tests as root")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "var" / "gedge"
    folder.parent.mkdir()
    monkeypatch.setattr(host_state, "STATE_DIR", str(folder))
    monkeypatch.setattr(host_state, "LOCK_FILE", str(tmp_path / "lock"))
    return folder


def write(path: Path, text: str = "ours\n") -> None:
    assert sync_file(str(path), text, 0o644, check_mode=False)


def test_a_file_comes_with_folders_and_goes_with_them(state: Path, tmp_path: Path) -> None:
    path, top = tmp_path / "etc" / "made" / "deep" / "file", tmp_path / "etc"
    top.mkdir()
    write(path)
    assert read_record("folders.json") == {str(path.parent): True, str(path.parent.parent): True}
    assert return_file(str(path), check_mode=True) is not None
    assert path.exists()
    assert return_file(str(path), check_mode=False) is not None
    assert list(top.iterdir()) == []
    assert not state.exists()


def test_a_folder_that_was_there_before_stays(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    write(folder / "file")
    assert return_file(str(folder / "file"), check_mode=False) is not None
    assert folder.is_dir()
    assert not state.exists()


def test_folders_stay_while_something_is_in_them(state: Path, tmp_path: Path) -> None:
    first, second = (tmp_path / "made" / name for name in ("first", "second"))
    write(first)
    write(second)
    assert return_file(str(first), check_mode=False) is not None
    assert read_record("folders.json") == {str(first.parent): True}
    assert sync_file(str(second), None, 0o644, check_mode=False)  # taken away by a role, not given back
    assert not first.parent.exists()
    assert not state.exists()


def test_the_original_comes_back_and_its_copy_goes(state: Path, tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    for theirs in (path, other):
        theirs.write_text("theirs\n")
    write(path)
    write(other)
    assert len(list((state / "originals").iterdir())) == 2
    assert return_file(str(path), check_mode=False) is not None
    assert path.read_text() == "theirs\n"
    assert len(list((state / "originals").iterdir())) == 1
    assert sync_file(str(other), None, 0o644, check_mode=False)
    assert list(read_record("files.json")) == [str(other)]  # for the reset
    assert return_file(str(other), check_mode=False) is not None
    assert other.read_text() == "theirs\n"
    assert not state.exists()


def test_a_file_that_somebody_removed_is_forgotten(state: Path, tmp_path: Path) -> None:
    for undo in (return_file, lambda path, check_mode: sync_file(path, None, 0o644, check_mode)):
        path = tmp_path / "made" / "file"
        write(path)
        path.unlink()
        assert undo(str(path), check_mode=True) is None
        assert state.exists()
        assert undo(str(path), check_mode=False) is None
        assert not path.parent.exists()
        assert not state.exists()


def test_other_records_keep_their_folder(state: Path, tmp_path: Path) -> None:
    write_record("settings.json", {"sysctls": {"a": "1"}})
    write(tmp_path / "file")
    assert return_file(str(tmp_path / "file"), check_mode=False) is not None
    assert [path.name for path in state.iterdir()] == ["settings.json"]
    write_record("settings.json", {})
    assert not state.exists()


def test_what_was_in_a_removed_folder_is_forgotten(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "etc" / "plugin.d"
    write(folder / "settings")
    write(tmp_path / "etc" / "plugin.d.conf")
    arguments: dict[str, Any] = {"files": [], "remove_folders": [str(folder)]}
    for check in (True, False):
        with patch_module_args(arguments | {"_ansible_check_mode": check}), pytest.raises(SystemExit):
            managed_files.main()
        found = json.loads(capsys.readouterr().out)
        assert found["objects"] == [{"kind": "folder", "name": str(folder), "action": "remove"}]
    assert list(read_record("files.json")) == [str(tmp_path / "etc" / "plugin.d.conf")]
    assert list(read_record("folders.json")) == [str(tmp_path / "etc")]
    assert state.exists()
