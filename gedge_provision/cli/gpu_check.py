"""`gedge gpu check`: can an image run on the GPUs of a class of nodes?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from gedge_provision import provisioning
from gedge_provision.cli import _ui
from gedge_provision.cli._ui import Output, OutputOption
from gedge_provision.cli.site import SiteOption
from gedge_provision.models.errors import NotFittingError, UsageError
from gedge_provision.models.gpu_images import Answer, Framework, ImageCheck, ImageReport

__all__ = ["check"]

_STYLES: dict[Answer, str] = {"fits": "green", "does not fit": "bold red", "not known": "yellow"}


def check(  # noqa: PLR0913, PLR0917 - the options of a command
    site: SiteOption,
    image: Annotated[str | None, typer.Argument(metavar="[IMAGE]", help="The image, as nodes pull it.")] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", help="A class of nodes; may be repeated. Else all that have GPUs.")
    ] = None,
    node: Annotated[
        str | None, typer.Option("--node", help="Look on this node; without --class, ask about its class.")
    ] = None,
    on_gpu: Annotated[
        bool, typer.Option("--on-gpu", help="Let the pod ask for a GPU, and tell what its container sees.")
    ] = False,
    recorded: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A report of the image, instead of a pod.")
    ] = None,
    timeout: Annotated[
        int, typer.Option("--timeout", min=1, help="Seconds for the image to come to a node, and for the look.")
    ] = 600,
    output: OutputOption = Output.TEXT,
) -> None:
    """Look into an image, and say on which classes of nodes its CUDA can run; nothing stays in the cluster.

    Exit code 0 when it fits each class that was asked about, 3 when it does not or that is not known.
    """
    if recorded is not None:
        if image is not None or node is not None or on_gpu:
            raise UsageError("a report says by itself what was looked at", remedy="leave IMAGE, --node, --on-gpu out")
        found = provisioning.check_report(site, recorded, classes=classes or ())
    elif image is None:
        raise UsageError("an image is missing", remedy="name one, or a report of it with --from FILE")
    else:
        with _ui.progress() as reporter:
            found = provisioning.check_image(
                site, image, reporter, classes=classes or (), node=node, on_gpu=on_gpu, timeout_s=timeout
            )
    if output is Output.JSON:
        _ui.print_json(found.model_dump(mode="json") | {"fits": found.fits})
    else:
        _show(found)
    if not found.fits:
        raise typer.Exit(NotFittingError.exit_code)


def _show(found: ImageCheck) -> None:
    report = found.report
    on = f", read on {report.node}" if report.node else ""
    _ui.console.print(Text(f"{report.image}{on}"))
    table = Table(box=None, show_header=False)
    for name, value in _contents(report):
        table.add_row(f"  {name}", Text(value))
    _ui.console.print(table)
    for note in report.notes:
        _ui.console.print(Text(f"  note: {note}"))
    _ui.console.print()
    table = Table("class", "driver", "answer", "why", box=None)
    for one in found.classes:
        table.add_row(one.node_class, one.driver or "-", Text(one.answer, style=_STYLES[one.answer]), Text(one.reason))
    _ui.console.print(table)
    for text, names in _told(found).items():
        _ui.console.print(Text(f"{', '.join(names)}: {text}"))


def _told(found: ImageCheck) -> dict[str, list[str]]:
    """Return remedies and notes with the classes that they are for."""
    told: dict[str, list[str]] = {}
    for one in found.classes:
        for text in (*([f"-> {one.remedy}"] if one.remedy else []), *(f"note: {note}" for note in one.notes)):
            told.setdefault(text, []).append(one.node_class)
    return told


def _contents(report: ImageReport) -> list[tuple[str, str]]:
    lines = [
        ("CUDA", ", ".join(report.cuda) or "none found"),
        ("cuDNN", report.cudnn or "-"),
        ("TensorRT", report.tensorrt or "-"),
    ]
    lines += [(one.name, _framework(one)) for one in report.frameworks]
    if report.compat:
        lines.append(("forward compatibility", f"files of driver {report.compat}"))
    if report.driver:
        lines.append(("driver of the node", report.driver))
    return lines + [
        ("GPU seen", f"{gpu.name}, driver {gpu.driver}, compute capability {gpu.compute_capability or 'unknown'}")
        for gpu in report.gpus
    ]


def _framework(one: Framework) -> str:
    built = [f"{name} {version}" for name, version in (("CUDA", one.cuda), ("cuDNN", one.cudnn)) if version]
    return f"{one.version}, built for {', '.join(built)}" if built else one.version
