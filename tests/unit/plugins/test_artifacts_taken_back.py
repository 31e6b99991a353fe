"""Artifacts that nothing needs any more go, unless somebody else has put his own file in their place."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from plugins.module_utils import host_state
from plugins.modules import artifacts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files of root are written: run the tests as root")


def test_a_file_of_another_owner_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(host_state, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(host_state, "LOCK_FILE", str(tmp_path / "lock"))
    record = {}
    for name in ("ours", "touched", "former", "replaced"):
        path = tmp_path / name
        path.write_text(name, encoding="utf-8")
        digest = hashlib.sha256(name.encode()).hexdigest()
        record[str(path)] = {"name": name, "sha256": digest, "stamp": artifacts.stamp(str(path))}
        if name in {"former", "replaced"}:
            path.write_text("before us", encoding="utf-8")
            host_state.keep_original(str(path))
            path.write_text(name, encoding="utf-8")
    os.utime(tmp_path / "touched", (1, 1))
    (tmp_path / "replaced").write_text("the operator's", encoding="utf-8")
    host_state.write_record("artifacts.json", record)
    with patch_module_args({"items": [], "take_back": True}), pytest.raises(SystemExit):
        artifacts.main()
    assert json.loads(capsys.readouterr().out)["changed"]
    stays = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir() if path.is_file()}
    assert stays == {"former": "before us", "replaced": "the operator's", "lock": ""}
    assert host_state.read_record("artifacts.json") == {}
    assert list(host_state.read_record("files.json")) == [str(tmp_path / "replaced")]  # for the reset
