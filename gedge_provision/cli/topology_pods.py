"""`gedge topology pods`: what the pods of nodes own, in columns, and what is wrong with it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from gedge_provision import provisioning
from gedge_provision.cli import _ui
from gedge_provision.cli._ui import Output, OutputOption
from gedge_provision.cli.site import SiteOption
from gedge_provision.models.cpusets import format_cpuset
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.pod_alignment import ContainerHolding, NodePods, Remark
from gedge_provision.models.pod_resources import HeldDevices, HeldMemory

__all__ = ["pods", "show_nodes"]

WRONG = 3
_STYLES = {"error": "bold red", "note": "yellow"}


def pods(
    site: SiteOption,
    nodes: Annotated[list[str] | None, typer.Argument(metavar="[NODE]...", help="Nodes of the site; else all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Containers that own nothing, too.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show which pods own which CPUs, memory and devices, and on which NUMA nodes these are; nothing is changed.

    Exit code 3 when something is not as the kubelet was told to keep it, or its files and it say different things.
    """
    with _ui.progress() as reporter:
        found = provisioning.pods_of(site, nodes or (), reporter, everything=everything)
    if output is Output.JSON:
        _ui.print_json([node.model_dump(mode="json") for node in found])
    else:
        show_nodes([node for node in found if not node.problem])
    for node in found:
        if node.problem:
            message, _, remedy = node.problem.partition(" -> ")
            _ui.show_error(GedgeError(message, place=node.node, remedy=remedy))
    if any(node.problem for node in found):
        raise typer.Exit(GedgeError.exit_code)
    if any(node.wrong for node in found):
        raise typer.Exit(WRONG)


def show_nodes(nodes: list[NodePods]) -> None:
    """Print a table of nodes, one of containers, and the remarks."""
    if not nodes:
        return
    table = Table("node", "CPU manager", "topology manager", "memory manager", "reserved", "shared", box=None)
    for node in nodes:
        kept = node.policies
        options = f" ({', '.join(kept.cpu_options)})" if kept.cpu_options else ""
        scope = f" by {kept.scope}" if kept.topology != "none" else ""
        table.add_row(
            node.node,
            f"{kept.cpu}{options}",
            f"{kept.topology}{scope}",
            kept.memory.lower(),
            format_cpuset(node.reserved) or "-",
            format_cpuset(node.shared) or "-",
        )
    _ui.console.print(table)
    _ui.console.print()
    table = Table("node", "pod", "container", "CPUs", "NUMA", "memory", "devices", box=None)
    for node in nodes:
        for one in node.containers:
            table.add_row(node.node, *map(Text, _cells(one)))
    _ui.console.print(table if table.row_count else "no pod owns CPUs, memory or devices")
    for node in nodes:
        for remark in node.remarks:
            _ui.console.print(_told(node.node, remark))


def _cells(one: ContainerHolding) -> tuple[str, ...]:
    return (
        one.full_name,
        f"{one.container} (init)" if one.init else one.container,
        format_cpuset(one.cpus) or "-",
        format_cpuset(one.numa_nodes) or "-",
        ", ".join(map(_memory, one.memory)) or "-",
        ", ".join(map(_devices, one.devices)) or "-",
    )


def _memory(held: HeldMemory) -> str:
    kind = "" if held.kind == "memory" else f"{held.kind} "
    return f"{kind}{held.bytes >> 20} MiB on {format_cpuset(held.numa_nodes)}"


def _devices(held: HeldDevices) -> str:
    place = f" on {format_cpuset(held.numa_nodes)}" if held.numa_nodes else ""
    return f"{held.resource} {' '.join(held.ids)}{place}"


def _told(node: str, remark: Remark) -> Text:
    place = " ".join(filter(None, (node, remark.pod, remark.container)))
    return Text.assemble(
        (f"{remark.severity}: ", _STYLES[remark.severity]), f"{place}: {remark.message}\n", f"  -> {remark.remedy}"
    )
