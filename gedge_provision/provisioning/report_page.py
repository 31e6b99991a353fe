"""The acceptance report as one page: no script, nothing from elsewhere."""

from __future__ import annotations

from gedge_provision.adapters.pages import render_page
from gedge_provision.models.verification import Report
from gedge_provision.planning.verification import grouped

__all__ = ["report_html"]


def report_html(report: Report) -> str:
    """Return a report as an HTML page that needs no other file."""
    return render_page("report.html.j2", report=report, groups=grouped(report))
