"""`gedge status`: the site's nodes, once or as they change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gedge_provision import provisioning
from gedge_provision.cli import _ui
from gedge_provision.cli.site import SiteOption
from gedge_provision.models.progress import Outcome, SilentReporter
from gedge_provision.planning.node_status import changed
from gedge_provision.provisioning import NodeSummary

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb to the root command."""
    app.command()(status)


def status(
    site: SiteOption,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on until ^C (exit code 130); in a pipe, a line each change.")
    ] = False,
    output: _ui.OutputOption = _ui.Output.TEXT,
) -> None:
    """Show the site's nodes as the cluster sees them; exit code 1 when one is missing or not ready."""
    if watch:
        _watch(site, output)
        return
    nodes = provisioning.status(site)
    if output is _ui.Output.JSON:
        _ui.print_json([asdict(node) for node in nodes])
    else:
        _ui.console.print(_table(nodes))
    if any(node.state != "ready" for node in nodes):
        raise typer.Exit(1)


def _watch(site: Path, output: _ui.Output) -> None:
    if output is _ui.Output.TEXT and _ui.console.is_terminal:
        _show_live(site)
        return
    before: Sequence[NodeSummary] = ()
    for nodes in provisioning.watch(site, _ui.lines()):
        if output is _ui.Output.JSON:
            typer.echo(json.dumps([asdict(node) for node in nodes], sort_keys=True))
        else:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            for node in changed(before, nodes):
                typer.echo("\t".join([now, *_row(node)]))
        before = nodes


class _Waiting(SilentReporter):
    """What the live table says below itself: what it waits for."""

    def __init__(self) -> None:
        self.text = ""

    def update(self, name: str, detail: str) -> None:
        self.text = f"{name}: {detail}"

    def finish(self, name: str, outcome: Outcome = "done", detail: str = "") -> None:  # noqa: ARG002 - its form
        self.text = ""


def _show_live(site: Path) -> None:
    waiting = _Waiting()
    nodes: Sequence[NodeSummary] = ()

    def shown() -> Group:
        return Group(_table(nodes), Text(waiting.text, style="yellow"))

    with Live(get_renderable=shown, console=_ui.console, refresh_per_second=4):
        for found in provisioning.watch(site, waiting):
            nodes = found


def _table(nodes: Sequence[NodeSummary]) -> Table:
    table = Table("node", "roles", "class", "state", "version", "CPUs", "allocatable", "CPU manager", box=None)
    for node in nodes:
        table.add_row(*_row(node))
    return table


def _row(node: NodeSummary) -> tuple[str, ...]:
    return (
        node.name,
        ", ".join(node.roles),
        node.node_class,
        node.state + ", cordoned" * node.cordoned,
        node.version,
        node.cpu_capacity,
        node.cpu_allocatable,
        node.cpu_manager_policy,
    )
