"""`gedge perf`: measure the network between nodes, look at former runs, compare two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pydantic
import typer
from rich.table import Table
from rich.text import Text

from gedge_provision import perf
from gedge_provision.adapters.files import check_place, write_atomically
from gedge_provision.cli import _ui
from gedge_provision.cli._ui import Output, OutputOption
from gedge_provision.cli.site import SiteOption
from gedge_provision.models.errors import UsageError
from gedge_provision.models.perf import LARGEST_MESSAGE, SWEEP_SIZES, PerfResults, PerfSettings
from gedge_provision.models.wording import counted
from gedge_provision.planning import perf as planning

__all__ = ["app"]

app = typer.Typer(help="Measure the network between nodes; compare paths and runs.", no_args_is_help=True)

_Out = Annotated[
    Path | None,
    typer.Option("--out", help="Write it to a file too: NAME.html a page with charts, NAME.json for programs."),
]
_Run = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help="The beginning of an id, or a results.json; the newest if left out."),
]
_DEFAULT = PerfSettings()
_SMALLEST_MESSAGE = 16


@app.command()
def net(  # noqa: PLR0913, PLR0917 - one per option
    site: SiteOption,
    client: Annotated[
        str | None, typer.Option("--from", metavar="NODE", help="The node that sends; the first worker if left out.")
    ] = None,
    server: Annotated[
        str | None,
        typer.Option("--to", metavar="NODE", help="The node that answers; the second worker if left out."),
    ] = None,
    same_node: Annotated[bool, typer.Option("--same-node", help="Between two pods of one node.")] = False,
    network: Annotated[
        list[str] | None,
        typer.Option("--network", metavar="NAME", help="Only this one: host, flannel or an attachment; repeatable."),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(
            "--address",
            metavar="NAME=SERVER/LENGTH,CLIENT/LENGTH",
            help="Addresses on an attachment that gives none by itself; repeatable.",
        ),
    ] = None,
    seconds: Annotated[
        int, typer.Option("--seconds", min=1, max=300, help="Length of each measurement.")
    ] = _DEFAULT.seconds,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, max=100, help="How often each is made; figures are medians.")
    ] = _DEFAULT.rounds,
    streams: Annotated[int, typer.Option("--streams", min=2, max=64, help="Parallel TCP streams.")] = _DEFAULT.streams,
    rate: Annotated[
        int, typer.Option("--rate", metavar="MBIT/S", min=1, max=400_000, help="Rate of the UDP measurement.")
    ] = _DEFAULT.udp_mbits,
    load: Annotated[
        int,
        typer.Option("--load", metavar="MESSAGES/S", min=100, max=5_000_000, help="Load of the latency under load."),
    ] = _DEFAULT.load_messages,
    size: Annotated[
        int,
        typer.Option(
            "--size", metavar="BYTES", min=_SMALLEST_MESSAGE, max=LARGEST_MESSAGE, help="Messages of both latencies."
        ),
    ] = _DEFAULT.message_bytes,
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep", help=f"Latency and throughput by message size too: {', '.join(map(str, SWEEP_SIZES))}."
        ),
    ] = False,
    sizes: Annotated[
        str | None, typer.Option("--sizes", metavar="BYTES,...", help="Sizes of the sweep, instead of those.")
    ] = None,
    pinned: Annotated[
        int | None,
        typer.Option("--pinned", metavar="CPUS", min=1, max=256, help="Pods that own so many whole CPUs."),
    ] = None,
    both: Annotated[bool, typer.Option("--both", help="With --pinned: also pods without own CPUs, in turns.")] = False,
    image: Annotated[
        str | None, typer.Option("--image", help="Another image with the same tools; the nodes may pull it.")
    ] = None,
    out: _Out = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Measure throughput and latency between two nodes over every network that their pods may use.

    Says first how long it takes. Exit codes: 0 all was measured, 1 a part or nothing was, 2 the site has nothing to
    measure as asked, or an option is wrong (nothing was started).
    """
    _check_out(out)
    if both and pinned is None:
        raise UsageError("--both compares pods with and without own CPUs", remedy="say how many CPUs: --pinned 2")
    settings = PerfSettings(
        seconds=seconds,
        rounds=rounds,
        streams=streams,
        udp_mbits=rate,
        load_messages=load,
        message_bytes=size,
        sizes=_sizes(sizes) if sizes is not None else SWEEP_SIZES if sweep else (),
        pinned_cpus=pinned,
        both=both,
    )
    with _ui.progress() as reporter:
        results = perf.measure_network(
            site,
            reporter,
            client=client,
            server=server,
            same_node=same_node,
            networks=network or (),
            addresses=address or (),
            image=image,
            settings=settings,
        )
    _tell(site, results, out, output)
    if results.state != "complete":
        raise typer.Exit(1)


@app.command("list")
def list_(site: SiteOption, output: OutputOption = Output.TEXT) -> None:
    """List the measurements of the site from this machine, the newest first."""
    found = perf.measured_runs(site)
    if output is Output.JSON:
        told = [
            {
                "id": record.id,
                "folder": str(record.folder),
                "results": record.results.model_dump(mode="json", exclude={"samples"}) if record.results else None,
            }
            for record in found
        ]
        _ui.print_json(told)
        return
    if not found:
        _ui.console.print("nothing was measured yet")
        return
    table = Table("id", "from", "to", "paths", "rounds", "state", "", box=None)
    for record in found:
        run = record.results
        if run is None:
            table.add_row(record.id, "", "", "", "", "no results", "")
            continue
        paths = ", ".join(planning.path_labels(run))
        mark = Text(f"emulated: {run.emulation}" if run.emulated else "", style="yellow")
        table.add_row(record.id, run.client, run.server, paths, str(run.settings.rounds), run.state, mark)
    _ui.console.print(table)


@app.command()
def show(site: SiteOption, run: _Run = None, out: _Out = None, output: OutputOption = Output.TEXT) -> None:
    """Show the figures of a run again."""
    _check_out(out)
    _tell(site, perf.read_run(site, run), out, output)


@app.command()
def compare(
    site: SiteOption,
    first: Annotated[str, typer.Argument(metavar="RUN", help="The beginning of an id, or a results.json.")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="The same of the run to compare with it.")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Compare two runs figure by figure; an emulated one and a real one never (exit code 2)."""
    before, after = perf.read_run(site, first), perf.read_run(site, second)
    compared = planning.compare(before, after)
    if output is Output.JSON:
        _ui.print_json(
            {
                "first": before.id,
                "second": after.id,
                "emulated": after.emulated,
                "conditions": compared.conditions,
                "rows": [_row_data(row) for row in compared.rows],
            }
        )
        return
    _mark(after)
    table = Table("measurement", "figure", "path", before.id, after.id, "change", "", box=None)
    styles = {"better": "green", "worse": "red", "alike": "dim", "": ""}
    for row in compared.rows:
        metric = planning.METRICS[row.metric]
        title = planning.measure_title(row.measure, row.size, after.settings)
        values = planning.spelled([row.first.median, row.second.median])
        change = "" if row.change is None else f"{row.change:+.0f} %"
        verdict = Text(row.verdict, style=styles[row.verdict])
        table.add_row(title, ", ".join(filter(None, (metric.title, metric.unit))), row.path, *values, change, verdict)
    _ui.console.print(table)
    _ui.console.print("alike: the rounds of both runs overlap, or the medians differ by less than 2 %")
    if 1 in {before.settings.rounds, after.settings.rounds}:
        _ui.console.print("one round has no spread: nothing is called better or worse")
    for condition in compared.conditions:
        _ui.console.print(Text(f"differs: {condition}", style="yellow"))


def _row_data(row: planning.Comparison) -> dict[str, object]:
    return {
        "path": row.path,
        "measure": row.measure,
        "size": row.size,
        "metric": row.metric,
        "first": row.first.median,
        "second": row.second.median,
        "change_percent": row.change,
        "verdict": row.verdict,
    }


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return PerfSettings.model_validate({"sizes": [int(part) for part in text.split(",")]}).sizes
    except (ValueError, pydantic.ValidationError) as error:
        remedy = f"write numbers from {_SMALLEST_MESSAGE} to {LARGEST_MESSAGE}, separated by commas: 64,1024"
        raise UsageError(f"{text!r} are no sizes of messages", place="--sizes", remedy=remedy) from error


def _check_out(out: Path | None) -> None:
    """Refuse a file that could not be written, before the work that it shall tell of."""
    if out is None:
        return
    if out.suffix not in {".html", ".json"}:
        raise UsageError("results are a page or JSON", place=str(out), remedy="name it NAME.html or NAME.json")
    check_place(out)


def _tell(site: Path, results: PerfResults, out: Path | None, output: Output) -> None:
    data = results.model_dump_json(indent=2) + "\n"
    if out is not None:
        page = out.suffix == ".html"
        write_atomically(out, perf.perf_html(results, perf.earlier_runs(site, results)) if page else data)
    if output is Output.JSON:
        typer.echo(data, nl=False)
        return
    _mark(results)
    table = Table("measurement", "figure", *planning.path_labels(results), box=None)
    for row in planning.table_rows(results):
        table.add_row(row.title, row.metric, *row.cells)
    _ui.console.print(table)
    for problem in results.problems:
        remedy = f"\n      -> {problem.remedy}" if problem.remedy else ""
        text = Text.assemble((f"{problem.what}  ", "yellow"), f"{problem.path}: {problem.message}{remedy}")
        _ui.console.print(text)
    where = f"on {results.client}" if results.client == results.server else f"{results.client} to {results.server}"
    rounds = counted(results.settings.rounds, "round")
    _ui.console.print(
        f"run {results.id}, {where}: medians of {rounds} of {results.settings.seconds} s "
        f"(lowest-highest); latencies are half a round trip; {results.state}"
    )
    _mark(results)
    if out is not None:
        _ui.console.print(f"written: {out}")


def _mark(results: PerfResults) -> None:
    if results.mark:
        _ui.console.print(Text(results.mark, style="bold yellow"))
