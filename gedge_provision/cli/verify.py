"""`gedge verify`: the acceptance report."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from gedge_provision import provisioning
from gedge_provision.adapters.files import write_atomically
from gedge_provision.cli import _ui
from gedge_provision.cli.site import SiteOption
from gedge_provision.models.errors import UsageError
from gedge_provision.models.verification import Check, Report, Status

__all__ = ["register"]

_STYLES: dict[Status, str] = {"pass": "green", "fail": "bold red", "not-applicable": "dim"}


class Output(StrEnum):
    """How a report is printed."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


def register(app: typer.Typer) -> None:
    """Add the verb to the root command."""
    app.command()(verify)


def verify(
    site: SiteOption,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write it to a file too: NAME.html a page, NAME.json for programs.")
    ] = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Start pods that try each secondary network, and remove them.")
    ] = False,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="text, json, or html for a page without other files.")
    ] = Output.TEXT,
) -> None:
    """Check every promise of the site file on hosts and cluster; exit code 1 when one is not kept."""
    form = _form(out)
    with _ui.progress() as reporter:
        report = provisioning.verify(site, reporter, probe=probe)
    if out is not None:
        write_atomically(out, _rendered(report, form))
    if output is Output.TEXT:
        _show(report, out)
    else:
        typer.echo(_rendered(report, output), nl=False)
    if report.failed:
        raise typer.Exit(1)


def _form(out: Path | None) -> Output:
    """Return the form that a file's name asks for; said before the hosts are looked at."""
    forms = {".html": Output.HTML, ".json": Output.JSON}
    if out is not None and out.suffix not in forms:
        raise UsageError("a report is a page or JSON", place=str(out), remedy="name it NAME.html or NAME.json")
    return forms[out.suffix] if out is not None else Output.TEXT


def _rendered(report: Report, form: Output) -> str:
    return provisioning.report_html(report) if form is Output.HTML else report.model_dump_json(indent=2) + "\n"


def _show(report: Report, out: Path | None) -> None:
    table = Table("where", "concern", "check", "status", "evidence", box=None)
    for check in report.checks:
        status = Text(check.status, style=_STYLES[check.status])
        table.add_row(check.node or "cluster", check.concern, check.id, status, Text(check.evidence))
    _ui.console.print(table)
    for (node, evidence, remedy), checks in _failures(report).items():
        where = f"{node}: " if node else ""
        _ui.console.print(Text.assemble(("fail  ", "bold red"), where, ", ".join(check.id for check in checks)))
        _ui.console.print(Text("".join(f"      {line}\n" for line in (evidence, f"-> {remedy}"))), end="")
    counts = report.counts
    version = report.cluster_version or "no answer from the API server"
    _ui.console.print(
        f"site {report.site} ({version}): {counts.passed} pass, {counts.failed} fail, "
        f"{counts.not_applicable} not applicable"
    )
    if out is not None:
        _ui.console.print(f"written: {out}")


def _failures(report: Report) -> dict[tuple[str, str, str], list[Check]]:
    """Return what fails; checks of a host that fail for the same reason stand together."""
    found: dict[tuple[str, str, str], list[Check]] = {}
    for check in report.failed:
        found.setdefault((check.node, check.evidence, check.remedy), []).append(check)
    return found
