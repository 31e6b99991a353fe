"""Units of the timer: rendering is pure, and systemd's own checker reads them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gedge_provision.models.errors import UsageError
from gedge_provision.planning.timer_units import HEADER, Timer, interval_s, render, textfile_of

TIMER = Timer(
    site="edge",
    site_file=Path("/etc/gedge/site.yml"),
    program=Path("/opt/gedge/bin/gedge"),
    every="15min",
    writable=(Path("/var/lib/gedge-state/sites/edge"),),
    environment={"GEDGE_STATE_DIR": "/var/lib/gedge-state"},
)
ODD = Path('/var/lib/a b/50% "$HOME".prom')


def service(timer: Timer) -> list[str]:
    return render(timer)["gedge-drift-edge.service"].splitlines()


def test_the_service_looks_for_drift_with_absolute_paths_and_drift_is_no_failure() -> None:
    lines = service(TIMER)
    assert lines[0] == HEADER
    assert "ExecStart=/opt/gedge/bin/gedge drift --site /etc/gedge/site.yml" in lines
    assert {"Type=oneshot", "SuccessExitStatus=3", "NoNewPrivileges=yes", "ProtectSystem=strict"} <= set(lines)
    assert 'Environment="GEDGE_STATE_DIR=/var/lib/gedge-state"' in lines


def test_the_service_may_write_the_sites_state_and_the_metrics_and_nothing_else() -> None:
    def writable(timer: Timer) -> list[str]:
        return [line for line in service(timer) if line.startswith("ReadWritePaths=")]

    state = "ReadWritePaths=/var/lib/gedge-state/sites/edge"
    assert writable(TIMER) == [state]
    assert writable(replace(TIMER, textfile=Path("/srv/m/x.prom"))) == [state, "ReadWritePaths=/srv/m"]


def test_a_users_own_manager_gets_no_settings_that_need_root() -> None:
    lines = service(replace(TIMER, system=False))
    assert "NoNewPrivileges=yes" in lines
    assert [line for line in lines if line.startswith(("Protect", "Private", "ReadWrite", "Capability", "After"))] == []


def test_words_with_spaces_and_signs_are_escaped_and_found_again() -> None:
    lines = service(replace(TIMER, textfile=ODD))
    assert any(line.endswith(r'--textfile "/var/lib/a b/50%% \"$$HOME\".prom"') for line in lines)
    assert textfile_of("\n".join(lines)) == ODD
    assert textfile_of("\n".join(service(TIMER))) is None


@pytest.mark.parametrize(
    ("every", "seconds", "delay"),
    [("1min", 60, 6), ("15min", 900, 90), ("1h 30min", 5400, 300), ("1h30min", 5400, 300), ("1d", 86400, 300)],
)
def test_the_time_between_looks(every: str, seconds: int, delay: int) -> None:
    assert interval_s(every) == seconds
    lines = render(replace(TIMER, every=every))["gedge-drift-edge.timer"].splitlines()
    assert {f"OnUnitActiveSec={every}", f"RandomizedDelaySec={delay}", "WantedBy=timers.target"} <= set(lines)


@pytest.mark.parametrize("every", ["", "15", "15s", "0min", "-1h", "15 min", "1h\n", "1h;reboot", "99999min", "weekly"])
def test_what_is_no_time_between_looks_is_refused(every: str) -> None:
    with pytest.raises(UsageError, match="write it like 15min"):
        render(replace(TIMER, every=every))


@pytest.mark.parametrize("place", ["/tmp/site.yml", "/var/tmp/a/site.yml"])
def test_temporary_places_are_refused(place: str) -> None:
    with pytest.raises(UsageError, match="temporary files"):
        render(replace(TIMER, site_file=Path(place)))
    assert render(replace(TIMER, site_file=Path(place), system=False))


def test_a_name_that_would_begin_a_new_line_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot name this place"):
        render(replace(TIMER, textfile=Path("/srv/a\nExecStart=/bin/sh.prom")))


@pytest.mark.parametrize("system", [True, False])
def test_systemd_reads_the_units(tmp_path: Path, system: bool) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine: install systemd")
    timer = replace(TIMER, program=Path(sys.executable), textfile=ODD, every="1h 30min", system=system)
    for name, text in render(timer).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.glob("gedge-*"))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    ours = [line for line in done.stderr.splitlines() if "gedge-drift" in line]
    assert (done.returncode, ours) == (0, []), done.stderr
