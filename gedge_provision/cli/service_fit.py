"""`gedge service fit`: on which nodes a service fits now, why not on others, and what would fit instead."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from gedge_provision import provisioning, services
from gedge_provision.cli import _ui
from gedge_provision.cli._cluster import KubeconfigOption, NamespaceOption, chosen_kubeconfig, chosen_site
from gedge_provision.cli._service import FileArgument, PlainOption, TemplateOption
from gedge_provision.cli._ui import Output, OutputOption
from gedge_provision.cli.site import SiteOption
from gedge_provision.models.errors import NotFittingError, UsageError
from gedge_provision.models.fit import NodeFit, ServiceFit
from gedge_provision.models.wording import counted

__all__ = ["fit"]


def fit(  # noqa: PLR0913, PLR0917 - one per option
    file: FileArgument,
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
    template: TemplateOption = None,
    without_acceleration: PlainOption = False,
    replicas: Annotated[
        int | None, typer.Option("--replicas", min=1, help="How many are to fit, instead of as many as the file says.")
    ] = None,
    look: Annotated[
        bool,
        typer.Option(
            "--look",
            help="Ask the kubelets of the site over SSH which CPUs, memory and devices are owned now. Without it that "
            "is concluded from what pods ask for.",
        ),
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Say on which nodes a service fits beside what runs, why not on others, and what would fit; nothing is changed.

    Exit codes: 0 all replicas fit, 3 not all do.
    """
    if look and kubeconfig:
        raise UsageError(
            "--look asks hosts of a site, not those behind a kubeconfig", remedy="name the site: --site FILE"
        )
    notes: tuple[str, ...] = ()
    with _ui.progress() as reporter:
        service = services.load_service(
            file,
            reporter,
            accelerated=not without_acceleration,
            templates=template or (),
            site=chosen_site(site, kubeconfig),
        )
        looks, problems = provisioning.looks_of(site, reporter) if look else ({}, {})
        notes = tuple(f"{node}: {problem}" for node, problem in problems.items())
        with services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
            found = services.fit_service(kube, service, namespace, replicas=replicas, looks=looks)
    found = found.model_copy(update={"notes": (*notes, *found.notes)})
    if output is Output.JSON:
        _ui.print_json(found.model_dump(mode="json"))
    else:
        show(found)
    if not found.fits:
        raise typer.Exit(NotFittingError.exit_code)


def show(found: ServiceFit) -> None:
    """Print the nodes as a table, what fits altogether, and what is not known."""
    table = Table("NODE", "TAKES", "WHY NO MORE", "WOULD FIT", box=None, pad_edge=False, header_style="bold")
    for node in found.nodes:
        table.add_row(node.node, str(node.holds), Text("\n".join(_reasons(node))), Text(node.largest or "-"))
    _ui.console.print(table)
    _ui.console.print()
    of = f"{found.placed} of {counted(found.replicas, 'replica')}"
    _ui.console.print(Text(f"{found.service}: all fit now" if found.fits else f"{found.service}: {of} fit now"))
    for note in found.notes:
        _ui.console.print(Text(f"note: {note}"))


def _reasons(node: NodeFit) -> list[str]:
    reasons = [obstacle.text for obstacle in node.obstacles]
    if reasons and not node.holds and node.empty_holds:
        reasons.append("it fits once other pods have ended")
    return reasons or ["-"]
