"""`gedge plan` and `gedge drift`: what an apply would change."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from rich.tree import Tree

from gedge_provision import provisioning
from gedge_provision.adapters.files import write_atomically
from gedge_provision.cli import _ui
from gedge_provision.cli.site import OnlyOption, SiteOption
from gedge_provision.models.errors import UsageError
from gedge_provision.models.plan import Consent, Plan
from gedge_provision.models.wording import counted
from gedge_provision.planning.durations import spoken
from gedge_provision.planning.plans import markdown

__all__ = ["TextfileOption", "register"]

DRIFTED = 3


class Output(StrEnum):
    """How a plan is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="text, json, or markdown for a review.")]

TextfileOption = Annotated[
    Path | None,
    typer.Option(
        "--textfile", help="Write metrics of the look into this file (.prom), for node_exporter's textfile collector."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the root command."""
    app.command()(plan)
    app.command()(drift)


def plan(
    site: SiteOption,
    only: OnlyOption = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no host: compare with what is remembered of the last apply.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Save it, for: gedge apply FILE.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what an apply would do, host by host and object by object; changes nothing."""
    with _ui.progress() as reporter:
        found = provisioning.plan(site, reporter, only=only, offline=offline)
    if out is not None:
        write_atomically(out, found.model_dump_json(indent=2) + "\n")
    _show(found, output, f"nothing to do: site {found.site} is as its file says")
    if out is not None and output is Output.TEXT:
        _ui.console.print(f"saved: gedge apply {out}")


def drift(
    site: SiteOption,
    only: OnlyOption = None,
    textfile: TextfileOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what differs between the site file, the hosts and the cluster; exit code 3 when something does."""
    if textfile is not None and only:
        raise UsageError("--textfile tells of the whole site", remedy="leave one of the two options out")
    with _ui.progress() as reporter:
        if textfile is not None:
            found = provisioning.record_drift(site, textfile, reporter)
        else:
            found = provisioning.plan(site, reporter, only=only)
    _show(found, output, f"no drift: site {found.site} is as its file says")
    if found.hosts or found.differences:
        raise typer.Exit(DRIFTED)


def _show(found: Plan, output: Output, empty: str) -> None:
    if output is Output.JSON:
        typer.echo(found.model_dump_json(indent=2))
    elif output is Output.MARKDOWN:
        typer.echo(markdown(found), nl=False)
    elif found.hosts or found.differences:
        _ui.console.print(_tree(found))
    else:
        _ui.console.print(empty)


def _disturbed(consent: Consent) -> list[Text]:
    lines = [Text(f"pod {pod}", style="red") for pod in consent.pods]
    return lines + [Text(f"would be stopped: {obstacle}", style="bold red") for obstacle in consent.obstacles]


def _tree(found: Plan) -> Tree:
    limited = f", limited to {found.only}" if found.only else ""
    expected = f", {spoken(found.expected_s)}" if found.hosts else ""
    size = f"{counted(found.size, 'change')} on {counted(len(found.hosts), 'host')}"
    tree = Tree(f"site {found.site}: {size}{limited}{expected}")
    if found.source == "record":
        tree.add(Text("from the record of former runs; no host was looked at", style="dim"))
    for host in found.hosts:
        branch = tree.add(Text(host.host, style="bold"))
        for change in host.changes:
            by = (f"  last changed by {change.by}", "dim") if change.by else ""
            branch.add(Text.assemble((f"{change.action:<8}", "yellow"), f" {change.kind} {change.name}", by))
        for consent in (consent for consent in found.consents if consent.host == host.host):
            asked = branch.add(Text(f"needs consent (--{consent.flag}): {consent.reason}", style="red"))
            for line in _disturbed(consent):
                asked.add(line)
    if found.consents and found.unanswered:
        tree.add(Text(f"which pods that disturbs is not known: {found.unanswered}", style="red"))
    if found.differences:
        branch = tree.add(Text("differs, and an apply would not put it right", style="bold"))
        for difference in found.differences:
            branch.add(difference.message)
    return tree
