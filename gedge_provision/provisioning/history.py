"""Runs of the past: what they were, how they ended, and going on with one that did not end."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gedge_provision.adapters.locks import holder
from gedge_provision.adapters.run_records import JOURNAL, read_runs
from gedge_provision.models.errors import UsageError
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.run_records import RunRecord
from gedge_provision.models.runs import RunResult
from gedge_provision.planning.run_records import last_unfinished
from gedge_provision.provisioning.runs import apply, reset
from gedge_provision.provisioning.sites import load_site, site_folder

__all__ = ["find_run", "journal", "resume", "runs", "unfinished"]


def runs(site_path: Path) -> list[RunRecord]:
    """Return what is known of a site's runs on this machine, the newest first."""
    home = site_folder(load_site(site_path))
    return read_runs(home / "runs", holder(home))


def find_run(site_path: Path, identity: str | None) -> RunRecord:
    """Return a run by the beginning of its id; None means the newest.

    Raises:
        UsageError: there is none, or several begin so.
    """
    known = runs(site_path)
    found = [run for run in known if run.id.startswith(identity or "")]
    if not known:
        raise UsageError("this site has no runs on this machine yet", remedy="gedge plan, gedge apply")
    if not found or (identity and len(found) > 1):
        what = "several runs begin" if found else "no run begins"
        raise UsageError(f"{what} with {identity}", remedy="they are listed by: gedge runs list")
    return found[0]


def journal(run: RunRecord) -> list[list[str]]:
    """Return the lines of a run's journal: time, event, phase, host and detail (which may be missing)."""
    path = run.folder / JOURNAL
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def unfinished(site_path: Path) -> RunRecord | None:
    """Return the run that `resume` would go on with."""
    return last_unfinished(runs(site_path))


def resume(site_path: Path, run: RunRecord, reporter: Reporter = SILENT) -> RunResult:
    """Go on with a run that did not end: the same verb with the same options; what is finished is found finished.

    Raises:
        RunFailedError: it failed again.
    """
    request = run.request
    if request.site_sha256 != hashlib.sha256(site_path.read_bytes()).hexdigest():
        reporter.note("the site file has been changed since; what it says now counts")
    if request.verb == "reset":
        return reset(site_path, reporter, only=request.only)
    return apply(site_path, reporter, only=request.only, consents=request.consents)
