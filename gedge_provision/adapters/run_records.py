"""The folders of runs: written before a run begins and while it goes on, read for `gedge runs` and `gedge resume`."""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from gedge_provision.adapters.files import write_atomically
from gedge_provision.models.run_records import RunRecord, RunRequest, RunState
from gedge_provision.models.runs import PhaseTiming

__all__ = ["JOURNAL", "Journal", "new_run", "read_runs", "read_timings"]

JOURNAL = "journal.log"
_REQUEST, _TIMINGS = "run.json", "timings.json"
_STAMP = "%Y%m%dT%H%M%S.%f"
_KEPT = 100


def new_run(folder: Path, request: RunRequest) -> Path:
    """Make the folder of a run below a site's `folder` of runs, and remove the oldest ones beyond a hundred."""
    stamp = datetime.now(UTC).strftime(_STAMP)[:-3]
    run = folder / f"{stamp}-{request.verb}-{request.pid}"
    run.mkdir(parents=True, mode=0o700)
    write_atomically(run / _REQUEST, json.dumps(asdict(request), indent=2) + "\n", 0o600)
    for old in sorted(path for path in folder.iterdir() if path.is_dir())[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return run


def read_runs(folder: Path, holder: int | None) -> list[RunRecord]:
    """Return the runs of a site, the newest first.

    Args:
        folder: the site's folder of runs.
        holder: process id of the run that holds the site, if one does.
    """
    found = [_read(path, holder) for path in sorted(folder.glob("*-*-*"), reverse=True)] if folder.is_dir() else []
    return [record for record in found if record is not None]


def read_timings(folder: Path, newest: int = 20) -> list[list[PhaseTiming]]:
    """Return the phases of a site's successful applies, the newest first."""
    found = []
    for path in sorted(folder.glob("*-apply-*"), reverse=True) if folder.is_dir() else []:
        try:
            ended = json.loads((path / _TIMINGS).read_text(encoding="utf-8"))
            phases = [PhaseTiming(**phase) for phase in ended["phases"]]
        except (OSError, ValueError, TypeError, KeyError):  # killed, or of another version
            continue
        if ended["status"] == "successful":
            found.append(phases)
        if len(found) == newest:
            break
    return found


def _read(path: Path, holder: int | None) -> RunRecord | None:
    try:
        found = json.loads((path / _REQUEST).read_text(encoding="utf-8"))
        request = RunRequest(**found | {"consents": tuple(found["consents"])})
        began = datetime.strptime(path.name.split("-")[0], _STAMP).replace(tzinfo=UTC)
    except (OSError, ValueError, TypeError, KeyError):  # not the folder of a run, or of another version
        return None
    try:
        ended = json.loads((path / _TIMINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        state: RunState = "running" if request.pid == holder else "killed"
        return RunRecord(path.name, request, began, state, None, None, path)
    return RunRecord(path.name, request, began, ended["status"], ended["seconds"], sum(ended["changed"].values()), path)


class Journal:
    """The journal of a run: one line an event, on the disk before the run goes on; read it with a pager.

    A line holds time (UTC), event, phase, host and what there is to say, separated by tabs.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / JOURNAL).open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, event: str, phase: str = "-", host: str = "-", detail: str = "") -> None:
        """Append a line."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        words = [f"{now}Z", event, phase, host, " ".join(detail.split())[:400]]
        with self._lock:
            self._file.write("\t".join(words).rstrip() + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
