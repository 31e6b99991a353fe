"""`gedge lab`: nodes on this machine."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from gedge_provision import lab as labs
from gedge_provision.cli import _ui
from gedge_provision.models.errors import UsageError
from gedge_provision.models.lab import Base
from gedge_provision.models.lab_snapshots import DEFAULT_NAME
from gedge_provision.provisioning.sites import load_site

__all__ = ["app"]

app = typer.Typer(
    help="A lab on this machine: nodes, containers or with emulated hardware, that are real hosts to Ansible.",
    no_args_is_help=True,
)

_LabArgument = Annotated[str | None, typer.Argument(metavar="[LAB]", help="Name of the lab; the only one if left out.")]
_LabOption = Annotated[str | None, typer.Option("--lab", "-l", help="Name of the lab; the only one if left out.")]
_Node = Annotated[str, typer.Argument(metavar="NODE", help="Name of the node.")]
_LAB_NAME = r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"


@app.command()
def up(  # noqa: PLR0913, PLR0917 - each is an option
    site: Annotated[
        Path | None, typer.Argument(metavar="[SITE]", help="Site file; inventories/lab/site.yml if left out.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Write a site file for a lab of this name.")] = None,
    control_planes: Annotated[
        int | None, typer.Option("--control-planes", help="1 (default), 3 or 5; with --name.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Number of workers (default 2); with --name.")
    ] = None,
    hardware: Annotated[
        int | None,
        typer.Option(
            "--hardware", help="Number of nodes with emulated hardware (default 0); alone: a lab of the name hardware."
        ),
    ] = None,
    base: Annotated[
        Base | None, typer.Option("--base", help="Debian of the container nodes (debian12); with --name.")
    ] = None,
) -> None:
    """Make the nodes of a lab run. A second time it heals what is missing or stopped, and says what is unchanged."""
    if name is None and hardware is not None and site is None:
        name, workers = "hardware", 1 if workers is None else workers
    if name is None:
        if (control_planes, workers, hardware, base) != (None, None, None, None):
            raise UsageError("the site file gives the size and base of this lab", remedy="edit it, or use --name")
        with _ui.progress() as reporter:
            labs.up(site, reporter)
        return
    if site is not None:
        raise UsageError("a site file and --name exclude each other", remedy="use one of them")
    with _ui.progress() as reporter:
        made = labs.up_by_name(
            name,
            control_planes=1 if control_planes is None else control_planes,
            workers=2 if workers is None else workers,
            hardware=hardware or 0,
            base=base or "debian12",
            reporter=reporter,
        )
    _ui.console.print(f"site file: {made}")


@app.command()
def down(
    lab: Annotated[
        str | None, typer.Argument(metavar="[LAB]", help="Name of the lab, or its site file; the only one if left out.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every lab of this user.")] = False,
) -> None:
    """Remove a lab: containers, network, keys, data, records of runs. The base image stays (gedge lab prune)."""
    if lab is not None and everything:
        raise UsageError("a name and --all exclude each other", remedy="use one of them")
    present = labs.labs()
    if lab is None and not present:
        _ui.console.print("no lab is up")
        return
    names = present if everything else [_named(lab) if lab else labs.choose(None)]
    with _ui.progress() as reporter:
        for name in names:
            labs.down(name, reporter)


def _named(lab: str) -> str:
    """Return the lab that a name, or a site file, means; one that is down already is as good."""
    if re.fullmatch(_LAB_NAME, lab):
        return lab
    if Path(lab).is_file():
        return load_site(Path(lab)).name
    raise UsageError("this is neither the name of a lab nor a site file", place=lab, remedy="see: gedge lab status")


@app.command()
def status(lab: _LabArgument = None, output: _ui.OutputOption = _ui.Output.TEXT) -> None:
    """Show the nodes of a lab, or of all."""
    nodes = labs.status(labs.choose(lab) if lab else None)
    if output is _ui.Output.JSON:
        _ui.print_json([dataclasses.asdict(node) for node in nodes])
        return
    if not nodes:
        _ui.console.print("no lab is up")
        return
    table = Table("lab", "node", "kind", "address", "state", "memory", "up", box=None)
    for node in nodes:
        memory = "" if node.memory_bytes is None else f"{node.memory_bytes / 2**20:.0f} MiB"
        uptime = "" if node.uptime_s is None else _duration(node.uptime_s)
        table.add_row(node.lab, node.node, node.kind, str(node.address), node.state, memory, uptime)
    _ui.console.print(table)


def _duration(seconds: int) -> str:
    minutes, hours = seconds // 60, seconds // 3600
    return (
        f"{hours} h {minutes % 60} min" if hours else f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
    )


@app.command()
def shell(
    node: _Node,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[-- COMMAND]", help="Instead of a login shell.")
    ] = None,
    lab: _LabOption = None,
) -> None:
    """Open a root shell in a node, or run a command there: gedge lab shell [-l LAB] NODE -- ip address.

    The exit code is the command's.
    """
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    raise typer.Exit(labs.shell(labs.choose(lab), node, command or (), terminal=terminal))


@app.command()
def logs(
    node: _Node,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is yet to come.")] = False,
    lab: _LabOption = None,
) -> None:
    """Show the journal of a node."""
    raise typer.Exit(labs.logs(labs.choose(lab), node, follow=follow))


@app.command()
def stop(
    node: _Node,
    kill: Annotated[bool, typer.Option("--kill", help="As by a power cut.")] = False,
    lab: _LabOption = None,
) -> None:
    """Shut a node down; its disks stay."""
    with _ui.progress() as reporter:
        labs.stop_node(labs.choose(lab), node, kill=kill, reporter=reporter)


@app.command()
def start(node: _Node, lab: _LabOption = None) -> None:
    """Boot a stopped node."""
    with _ui.progress() as reporter:
        labs.start_node(labs.choose(lab), node, reporter)


@app.command()
def snapshot(
    node: _Node,
    name: Annotated[str, typer.Option("--name", help="What to call it.")] = DEFAULT_NAME,
    lab: _LabOption = None,
) -> None:
    """Save disk, memory and devices of an emulated node, which goes on."""
    with _ui.progress() as reporter:
        labs.snapshot_node(labs.choose(lab), node, name, reporter)


@app.command()
def restore(
    node: _Node,
    name: Annotated[str | None, typer.Option("--name", help="The snapshot; the only one if left out.")] = None,
    lab: _LabOption = None,
) -> None:
    """Put an emulated node back to a snapshot: it goes on as it was then. What the cluster knows of it stays."""
    with _ui.progress() as reporter:
        labs.restore_node(labs.choose(lab), node, name, reporter)


@app.command()
def snapshots(
    node: Annotated[str | None, typer.Argument(metavar="[NODE]", help="Of this node alone.")] = None,
    delete: Annotated[str | None, typer.Option("--delete", metavar="NAME", help="Remove one of the node's.")] = None,
    lab: _LabOption = None,
    output: _ui.OutputOption = _ui.Output.TEXT,
) -> None:
    """List the snapshots of a lab's emulated nodes; they go with their node (gedge lab down)."""
    if delete is not None and node is None:
        raise UsageError("--delete needs a node", remedy=f"gedge lab snapshots NODE --delete {delete}")
    chosen = labs.choose(lab)
    if delete is not None and node is not None:
        with _ui.progress() as reporter:
            labs.delete_snapshot(chosen, node, delete, reporter)
        return
    found = labs.snapshots(chosen, node)
    if output is _ui.Output.JSON:
        _ui.print_json([{"node": name, **dataclasses.asdict(one)} for name, some in found.items() for one in some])
        return
    if not any(found.values()):
        _ui.console.print("no snapshots")
        return
    table = Table("node", "snapshot", "made", "memory", box=None)
    for name, some in found.items():
        for one in some:
            table.add_row(name, one.name, f"{one.made_at:%Y-%m-%d %H:%M:%S}", f"{one.memory_bytes / 2**20:.0f} MiB")
    _ui.console.print(table)


@app.command()
def prune() -> None:
    """Remove the base images, the emulator and its disks; no lab may be up."""
    with _ui.progress() as reporter:
        labs.prune(reporter)
