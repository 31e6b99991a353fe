"""The acceptance report as one page: no script, nothing from elsewhere."""

from __future__ import annotations

from gedge_provision.models.verification import Report
from gedge_provision.planning.verification import grouped

__all__ = ["report_html"]


def report_html(report: Report) -> str:
    """Return a report as an HTML page that needs no other file."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - most commands need no page

    environment = Environment(
        loader=PackageLoader("gedge_provision", "data"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(report=report, groups=grouped(report))
