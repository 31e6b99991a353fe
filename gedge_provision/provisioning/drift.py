"""Drift for monitoring: the look of a plan, and a file for node_exporter's textfile collector that tells of it."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from gedge_provision.adapters.files import check_place, write_atomically
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.plan import Plan
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.planning.drift_metrics import Earlier, read_earlier, render
from gedge_provision.provisioning.plans import plan
from gedge_provision.provisioning.sites import load_site

__all__ = ["check_textfile", "record_drift"]

_SUFFIX = ".prom"


def record_drift(site_path: Path, textfile: Path, reporter: Reporter = SILENT) -> Plan:
    """Look for drift on the whole site, and write metrics of it into a file, also when the look fails.

    Args:
        site_path: the site file.
        textfile: where the metrics are written, for everyone to read; ends in .prom.
        reporter: receives each phase.

    Raises:
        UsageError: the file cannot be written, or is another's; no host was looked at.
        DocumentError: the site file is wrong.
        RunFailedError: a host cannot be reached, or cannot become a node.
    """
    earlier = check_textfile(textfile)
    began = time.monotonic()

    def write(site: str, found: Plan | None, last_success: float | None) -> None:
        text = render(site, found, seconds=time.monotonic() - began, last_success=last_success)
        write_atomically(textfile, text)

    last = earlier.last_success if earlier else None
    try:
        site = load_site(site_path).name
    except GedgeError:
        if earlier:
            write(earlier.site, None, last)
        raise
    if earlier and earlier.site != site:
        raise UsageError(
            f"this file tells of site {earlier.site}, not of {site}",
            place=str(textfile),
            remedy="name a file of its own for each site",
        )
    try:
        found = plan(site_path, reporter)
    except BaseException:  # also when it is interrupted: old figures must not pass for new ones
        with suppress(OSError):  # the first error is the one to tell
            write(site, None, last)
        raise
    write(site, found, time.time())
    return found


def check_textfile(path: Path) -> Earlier | None:
    """Check that metrics can be written to a place, and return what an earlier look left there.

    Raises:
        UsageError: not there.
    """
    if path.suffix != _SUFFIX:
        raise UsageError(
            f"node_exporter reads only files whose name ends in {_SUFFIX}",
            place=str(path),
            remedy=f"name it {path.with_suffix(_SUFFIX).name}" if path.suffix else f"name it {path.name}{_SUFFIX}",
        )
    check_place(path)
    try:
        return read_earlier(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"the file cannot be read: {error.strerror}", place=str(path)) from error
    except ValueError as error:
        raise UsageError(
            "this file is not of gedge drift, and would be replaced",
            place=str(path),
            remedy="name another file, or move this one away",
        ) from error
