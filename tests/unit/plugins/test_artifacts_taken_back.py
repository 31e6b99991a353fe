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
    for name in ("ours", "touched", "replaced"):
        path = tmp_path / name
        path.write_text(name, encoding="utf-8")
        digest = hashlib.sha256(name.encode()).hexdigest()
        record[str(path)] = {"name": name, "sha256": digest, "stamp": artifacts.stamp(str(path))}
    os.utime(tmp_path / "touched", (1, 1))
    (tmp_path / "replaced").write_text("the operator's", encoding="utf-8")
    host_state.write_record("artifacts.json", record)
    with patch_module_args({"items": [], "take_back": True}), pytest.raises(SystemExit):
        artifacts.main()
    assert json.loads(capsys.readouterr().out)["changed"]
    assert [name for name in ("ours", "touched", "replaced") if (tmp_path / name).exists()] == ["replaced"]
    assert not (tmp_path / "state").exists()
