"""`gedge timer` where nothing is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gedge_provision.cli import main

SITE = "name: nowhere\nnodes:\n  - {name: m1, address: 192.0.2.1, roles: [control_plane]}\n"


def timer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, *words: str
) -> tuple[int, str, str]:
    (folder / "site.yml").write_text(SITE, encoding="utf-8")
    monkeypatch.setenv("GEDGE_STATE_DIR", str(folder / "state"))
    monkeypatch.setattr(sys, "argv", ["gedge", "timer", *words, "--site", str(folder / "site.yml")])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert sorted(path.name for path in folder.iterdir()) == ["site.yml"]
    return int(ended.value.code or 0), out, err


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="this machine has systemd: it would be installed here")
@pytest.mark.parametrize("verb", ["install", "remove"])
def test_a_machine_without_systemd_is_told_what_to_do(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = timer(monkeypatch, capsys, tmp_path, verb)
    assert (code, out) == (1, "")
    assert "this machine is not run by systemd\n-> run gedge drift by what this machine has (cron)" in err


@pytest.mark.parametrize("every", ["5", "5min; reboot"])
def test_a_wrong_time_is_told_with_right_ones(
    every: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = timer(monkeypatch, capsys, tmp_path, "show", "--every", every)
    assert (code, out) == (2, "")
    assert f"--every: {every!r} is no time between two looks\n-> write it like 15min" in err


def test_the_units_are_printed_on_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)  # root's units refuse what lies in folders for temporary files
    code, out, err = timer(monkeypatch, capsys, tmp_path, "show", "--every", "1h", "--textfile", "/srv/m/x.prom")
    assert (code, err) == (0, "")
    assert out.index("# gedge-drift-nowhere.service\n") < out.index("# gedge-drift-nowhere.timer\n")
    program = Path(sys.executable).with_name("gedge")
    assert f"ExecStart={program} drift --site {tmp_path}/site.yml --textfile /srv/m/x.prom\n" in out
    assert out.endswith("WantedBy=timers.target\n")
