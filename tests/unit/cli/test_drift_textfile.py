"""`gedge drift --textfile`: a place that cannot be is told first, and a look that fails is written down."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from gedge_provision.cli import main
from gedge_provision.planning.drift_metrics import Earlier, read_earlier, render

SITE = """\
name: nowhere
ssh: {private_key: KEY, known_hosts: KEY}
nodes:
  - {name: m1, address: 192.0.2.1, roles: [control_plane]}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEDGE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("GEDGE_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "key").touch()
    (tmp_path / "site.yml").write_text(SITE.replace("KEY", str(tmp_path / "key")), encoding="utf-8")
    return tmp_path


def drift(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path, *words: str
) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["gedge", "drift", "--site", str(home / "site.yml"), *words])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert out == ""
    return int(ended.value.code or 0), err


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("none/x.prom", "none: there is no such folder\n-> make it"),
        ("key/x.prom", "key: there is no such folder\n-> make it"),
        ("x.txt", "only files whose name ends in .prom\n-> name it x.prom"),
        ("x", "only files whose name ends in .prom\n-> name it x.prom"),
        ("folder.prom", "this is a folder\n-> name a file in it"),
        ("/sys/x.prom", "/sys: no file can be written here"),
        ("others.prom", "not of gedge drift, and would be replaced\n-> name another file"),
        ("elsewhere.prom", "tells of site elsewhere, not of nowhere\n-> name a file of its own"),
    ],
)
def test_a_place_that_cannot_be_is_told_before_a_host_is_looked_at(
    place: str, said: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "folder.prom").mkdir()
    (home / "others.prom").write_text("node_load1 1\n", encoding="utf-8")
    (home / "elsewhere.prom").write_text(render("elsewhere", None, seconds=1, last_success=None), encoding="utf-8")
    before = {path: path.read_bytes() for path in home.glob("*.prom") if path.is_file()}
    code, text = drift(monkeypatch, capsys, home, "--textfile", str(home / place))
    assert (code, said in text) == (2, True), text
    assert not (home / "state").exists()
    assert {path: path.read_bytes() for path in home.glob("*.prom") if path.is_file()} == before


def test_a_part_of_the_site_is_no_metric(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = drift(monkeypatch, capsys, home, "--textfile", str(home / "x.prom"), "--only", "m1")
    assert (code, "tells of the whole site" in text) == (2, True), text


def test_a_look_that_fails_is_written_for_everyone_to_read(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "x.prom"
    code, text = drift(monkeypatch, capsys, home, "--textfile", str(file))
    assert (code, "the artifact store is empty" in text) == (2, True), text
    assert 'gedge_drift_up{site="nowhere"} 0.0' in file.read_text(encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert sorted(path.name for path in home.iterdir()) == ["key", "site.yml", "x.prom"]


def test_a_site_file_that_broke_does_not_leave_old_figures(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "x.prom"
    file.write_text('gedge_drift_up{site="nowhere"} 1\ngedge_drift_last_success_timestamp_seconds{site="nowhere"} 7\n')
    (home / "site.yml").write_text("name: [\n", encoding="utf-8")
    assert drift(monkeypatch, capsys, home, "--textfile", str(file))[0] == 2
    text = file.read_text(encoding="utf-8")
    assert 'gedge_drift_up{site="nowhere"} 0.0' in text
    assert read_earlier(text) == Earlier("nowhere", 7)
