"""`gedge runs` and `gedge resume`: what was run on a site, how it ended, and going on with it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from gedge_provision import provisioning
from gedge_provision.cli import _ui
from gedge_provision.cli.site import SiteOption, show_run, told_as
from gedge_provision.models.run_records import RunRecord

__all__ = ["app", "register"]

app = typer.Typer(help="What was run on the site from this machine, and how it ended.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add the verbs to the root command."""
    root.add_typer(app, name="runs")
    root.command()(resume)


@app.command("list")
def list_runs(site: SiteOption, output: _ui.OutputOption = _ui.Output.TEXT) -> None:
    """List the runs, the newest first."""
    found = provisioning.runs(site)
    if output is _ui.Output.JSON:
        _ui.print_json([asdict(run) for run in found])
        return
    if not found:
        _ui.console.print("no runs yet")
        return
    table = Table("id", "verb", "only", "state", "seconds", "changed", box=None)
    for run in found:
        table.add_row(run.id, run.request.verb, run.request.only or "", run.state, *_figures(run))
    _ui.console.print(table)


@app.command()
def show(
    site: SiteOption,
    run: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The beginning of an id; the newest if left out.")
    ] = None,
    output: _ui.OutputOption = _ui.Output.TEXT,
) -> None:
    """Show a run phase by phase and host by host, from its journal."""
    found = provisioning.find_run(site, run)
    lines = provisioning.journal(found)
    if output is _ui.Output.JSON:
        _ui.print_json(asdict(found) | {"journal": lines})
        return
    seconds, changed = _figures(found)
    _ui.console.print(
        f"{found.id}: gedge {found.request.verb}, {found.state}",
        f"{seconds} s, {changed}{'' if found.request.check else ' changed'}",
    )
    table = Table("time (UTC)", "event", "phase", "host", "", box=None)
    for line in lines:
        table.add_row(*line[:5])
    _ui.console.print(table)
    _ui.console.print(f"all of it: {found.folder}")


def resume(site: SiteOption, output: _ui.OutputOption = _ui.Output.TEXT) -> None:
    """Go on with the last apply or reset, if it was killed or failed; what is finished is not done again."""
    found = provisioning.unfinished(site)
    if found is None:
        _ui.console.print("nothing to resume: the last run ended well")
        return
    _ui.errors.print(f"goes on with {found.id} ({found.state})")
    with told_as(output), _ui.progress() as reporter:
        result = provisioning.resume(site, found, reporter)
    show_run(result, output, check=False)


def _figures(run: RunRecord) -> tuple[str, str]:
    seconds = "" if run.seconds is None else f"{run.seconds:.0f}"
    changed = "" if run.changed is None else f"{run.changed} to do" if run.request.check else str(run.changed)
    return seconds, changed
