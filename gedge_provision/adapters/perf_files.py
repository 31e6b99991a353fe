"""Where measurements are kept: a folder a run, with what the tools printed and one file of results."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pydantic

from gedge_provision.adapters.files import write_atomically
from gedge_provision.models.errors import UsageError
from gedge_provision.models.perf import PerfRecord, PerfResults

__all__ = ["new_perf_run", "read_perf_runs", "read_results", "write_raw", "write_results"]

_RESULTS = "results.json"
_STAMP = "%Y%m%dT%H%M%S.%f"


def new_perf_run(folder: Path) -> Path:
    """Make the folder of a run below a site's folder of measurements."""
    run = folder / datetime.now(UTC).strftime(_STAMP)[:-3]
    (run / "raw").mkdir(parents=True, mode=0o700)
    return run


def write_raw(run: Path, name: str, text: str) -> str:
    """Keep what a tool printed, and return where below the run's folder."""
    write_atomically(run / "raw" / name, text, 0o600)
    return f"raw/{name}"


def write_results(run: Path, results: PerfResults) -> None:
    """Keep the results of a run."""
    write_atomically(run / _RESULTS, results.model_dump_json(indent=2) + "\n", 0o600)


def read_results(path: Path) -> PerfResults:
    """Return the results in a file.

    Raises:
        UsageError: there are none in it that this version reads.
    """
    try:
        return PerfResults.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("the results cannot be read", place=str(path), remedy="check path and rights") from error
    except pydantic.ValidationError as error:
        raise UsageError(
            "these are no results of gedge perf that this version reads",
            place=str(path),
            remedy="name a run of gedge perf list, or its results.json",
        ) from error


def read_perf_runs(folder: Path) -> tuple[PerfRecord, ...]:
    """Return the runs of a site, the newest first; one without results was killed, or another version made it."""
    found = []
    for run in sorted(folder.glob("*T*.*"), reverse=True) if folder.is_dir() else []:
        if not run.is_dir():
            continue
        try:
            results = read_results(run / _RESULTS)
        except UsageError:
            results = None
        found.append(PerfRecord(run.name, run, results))
    return tuple(found)
