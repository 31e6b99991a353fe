"""Runs of the past: listed, found by the beginning of their names, compared."""

from __future__ import annotations

from pathlib import Path

from gedge_provision.adapters.perf_files import read_perf_runs, read_results
from gedge_provision.models.errors import UsageError
from gedge_provision.models.perf import PerfRecord, PerfResults
from gedge_provision.planning import perf as planning
from gedge_provision.provisioning.sites import load_site, site_folder

__all__ = ["compare_runs", "earlier_runs", "measured_runs", "read_run"]


def measured_runs(site_path: Path) -> tuple[PerfRecord, ...]:
    """Return the measurements of a site that this machine made, the newest first.

    Raises:
        DocumentError: the site file is wrong.
    """
    return read_perf_runs(site_folder(load_site(site_path)) / "perf")


def read_run(site_path: Path, name: str | None = None) -> PerfResults:
    """Return the results of a run.

    Args:
        site_path: the site file.
        name: the beginning of its id, or the path of its results.json; the newest with results if left out.

    Raises:
        UsageError: there is none, more than one, or it has no results.
    """
    if name is not None and Path(name).suffix == ".json":
        return read_results(Path(name))
    found = measured_runs(site_path)
    if name is None:
        newest = next((record.results for record in found if record.results is not None), None)
        if newest is None:
            raise UsageError("nothing was measured yet", place=str(site_path), remedy="measure: gedge perf net")
        return newest
    matching = [record for record in found if record.id.startswith(name)]
    if len(matching) != 1:
        many = "more than one run begins so" if matching else "no such run"
        raise UsageError(many, place=name, remedy="see the runs: gedge perf list")
    if matching[0].results is None:
        raise UsageError(
            "this run has no results: it was killed, or another version of gedge made it",
            place=str(matching[0].folder),
            remedy="see the runs: gedge perf list",
        )
    return matching[0].results


def compare_runs(site_path: Path, first: str, second: str) -> planning.Compared:
    """Compare two runs.

    Raises:
        UsageError: there is no such run, or one is emulated and the other is not.
    """
    return planning.compare(read_run(site_path, first), read_run(site_path, second))


def earlier_runs(site_path: Path, results: PerfResults) -> tuple[PerfResults, ...]:
    """Return the runs that may stand beside one in its page, the oldest first."""
    others = tuple(record.results for record in measured_runs(site_path) if record.results is not None)
    return planning.comparable_runs(results, others)
