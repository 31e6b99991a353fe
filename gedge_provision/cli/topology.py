"""`gedge topology`: a host's CPUs, memory and devices, drawn; and how they are to be divided."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pydantic
import typer
from rich.table import Table
from rich.text import Text

from gedge_provision import provisioning
from gedge_provision.adapters.files import check_place, write_atomically
from gedge_provision.cli import _ui
from gedge_provision.cli._drawing import draw
from gedge_provision.cli._ui import Output, OutputOption
from gedge_provision.cli.site import SiteOption
from gedge_provision.cli.topology_pods import pods
from gedge_provision.models.cpu_intent import CpuIntent, Latency, Profile, Spread
from gedge_provision.models.cpu_plan import CpuPlan, HugePages, InfeasibleError
from gedge_provision.models.cpusets import format_cpuset
from gedge_provision.models.errors import UsageError
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.topology import Topology
from gedge_provision.models.wording import in_plain_words

__all__ = ["app"]

app = typer.Typer(help="CPUs, memory and devices of a host: look at them, plan their use.", no_args_is_help=True)
app.command()(pods)

_Target = Annotated[
    str, typer.Argument(metavar="HOST|FILE", help="A node of the site, or a snapshot that `show -o json` printed.")
]
_Svg = Annotated[Path | None, typer.Option("--svg", help="Draw it into this file too.")]


@app.command()
def show(target: _Target, site: SiteOption, svg: _Svg = None, output: OutputOption = Output.TEXT) -> None:
    """Draw a host: sockets, NUMA nodes, caches, cores, CPUs, and the devices beside their node.

    The CPUs of a node bear the marks of the plan that its site asks for, else those that the kernel isolates.
    """
    asked = provisioning.asked_of(target, site)
    found = _look(target, site, svg)
    computed, refusal = None, ""
    try:
        if asked.intent is not None:
            computed = provisioning.plan_cpus(found, asked.intent, asked.settings, asked.kernel_arguments)
    except InfeasibleError as error:
        refusal = "; ".join(map(str, error.problems))
    _write(svg, found, computed)
    if output is Output.JSON:
        typer.echo(found.model_dump_json(indent=1))
        return
    draw(found, computed)
    if refusal:
        _ui.console.print(Text(f"not marked as the site asks, which cannot be: {refusal}"))


@app.command()
def plan(  # noqa: PLR0913, PLR0917 - one per option
    target: _Target,
    site: SiteOption,
    profile: Annotated[
        Profile | None,
        typer.Option(
            help="shared: nobody owns CPUs; pinned: pods own whole CPUs; pinned-numa: of one NUMA node. If left out, "
            "what the site asks of the node, else pinned."
        ),
    ] = None,
    reserve: Annotated[
        str | None,
        typer.Option(
            "--reserve", metavar="CPU", help="CPU time for the system and Kubernetes; 500m if nothing is said."
        ),
    ] = None,
    reserve_memory: Annotated[
        str | None,
        typer.Option("--reserve-memory", metavar="SIZE", help="Memory for them; pinned-numa takes 512Mi by itself."),
    ] = None,
    latency: Annotated[
        Latency | None,
        typer.Option(
            help="low: interrupts stay off the CPUs of pods; isolated: the kernel's own work too; else normal."
        ),
    ] = None,
    spread: Annotated[
        Spread | None, typer.Option(help="Reserved cores on few NUMA nodes, or on all in turn; by profile if left out.")
    ] = None,
    full_cores: Annotated[
        bool | None,
        typer.Option(
            "--full-cores/--no-full-cores", help="By whole cores; if left out, where all have as many threads."
        ),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each choice was made.")] = False,
    svg: _Svg = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Compute how a host's CPUs, memory and interrupts are divided; nothing is changed.

    A node of the site is planned as the site asks; options count more.
    """
    asked = provisioning.asked_of(target, site)
    base = asked.intent.model_dump(exclude_unset=True) if asked.intent else {"profile": "pinned"}
    given = {"profile": profile, "latency": latency, "spread": spread, "full_cores": full_cores}
    amounts = {name: value for name, value in (("cpu", reserve), ("memory", reserve_memory)) if value is not None}
    settings = asked.settings.model_dump(mode="json", exclude_unset=True)
    try:
        intent = CpuIntent.model_validate(
            {**base, **{name: value for name, value in given.items() if value is not None}}
        )
        reserved = {**settings.get("kube_reserved", {}), **amounts}
        wanted = KubeletSettings.model_validate({**settings, "kube_reserved": reserved} if amounts else settings)
    except pydantic.ValidationError as error:
        message, remedy = in_plain_words(error.errors(include_url=False)[0])
        raise UsageError(message, remedy=remedy) from None
    found = _look(target, site, svg)
    computed = provisioning.plan_cpus(found, intent, wanted, asked.kernel_arguments, control_plane=asked.control_plane)
    _write(svg, found, computed)
    if output is Output.JSON:
        typer.echo(computed.model_dump_json(indent=1))
        return
    draw(found, computed)
    _show_plan(computed)
    if explain:
        _explain(computed)


def _look(target: str, site: Path, svg: Path | None) -> Topology:
    if svg is not None:
        if svg.suffix != ".svg":
            raise UsageError("the drawing is an SVG image", place=str(svg), remedy="name it NAME.svg")
        check_place(svg)
    with _ui.progress() as reporter:
        return provisioning.topology_of(target, site, reporter)


def _write(svg: Path | None, found: Topology, computed: CpuPlan | None) -> None:
    if svg is not None:
        write_atomically(svg, provisioning.topology_svg(found, computed))


def _show_plan(plan: CpuPlan) -> None:
    table = Table.grid(padding=(0, 2))
    rows = [
        ("reserved", format_cpuset(plan.reserved) or "none, by the amount only"),
        ("isolated", format_cpuset(plan.isolated)),
        ("shared", format_cpuset(plan.shared)),
        ("allocatable", f"{plan.allocatable_millicpu}m CPU"),
        ("kubelet", "\n".join(f"{name}: {_shown(value)}" for name, value in plan.kubelet.items())),
        ("kernel arguments", " ".join(plan.tuning.kernel_arguments)),
        ("huge pages", ", ".join(_pages(pages) for pages in plan.huge_pages)),
        ("interrupts", format_cpuset(plan.tuning.irq_cpus)),
        *((f"  of {name}", format_cpuset(cpus)) for name, cpus in plan.tuning.device_cpus.items()),
        ("system services", format_cpuset(plan.tuning.system_cpus)),
    ]
    for name, value in rows:
        if value:
            table.add_row(name, Text(value))
    _ui.console.print(table)


def _pages(pages: HugePages) -> str:
    when = "at boot" if pages.at == "boot" else "at run time"
    return f"{pages.count} of {pages.size_kib} KiB on node {pages.numa_node} {when}"


def _shown(value: object) -> str:
    """Return a field of the kubelet's in a line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return "; ".join(map(_shown, value))
    return str(value)


def _explain(plan: CpuPlan) -> None:
    for decision in plan.decisions:
        _ui.console.print()
        _ui.console.print(Text.assemble((decision.subject, "bold"), f": {decision.choice}"))
        _ui.console.print(Text(f"  {decision.reason}"))
