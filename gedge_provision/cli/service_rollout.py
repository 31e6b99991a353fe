"""`gedge service history|diff|rollback|promote|pause|resume|restart|scale`: what is done with a service later on."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from gedge_provision import services
from gedge_provision.cli import _ui
from gedge_provision.cli._cluster import KubeconfigOption, NamespaceOption, chosen_kubeconfig
from gedge_provision.cli._service import NameArgument, TimeoutOption, new_table, print_applied
from gedge_provision.cli._ui import Output, OutputOption
from gedge_provision.cli.site import SiteOption

__all__ = ["diff", "history", "pause", "promote", "restart", "resume", "rollback", "scale"]

_MOST_REASON = 160

TakeOverOption = Annotated[
    bool, typer.Option("--take-over", help="Overwrite fields that another field manager set to another value.")
]


def history(
    name: NameArgument,
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
    output: OutputOption = Output.TEXT,
) -> None:
    """List the revisions of a service: what became of each, and what it changed. Ten are kept."""
    with services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        lines = services.read_history(kube, name, namespace)
    if output is Output.JSON:
        _ui.print_json([asdict(line) for line in lines])
        return
    shown = new_table("REVISION", "STATE", "WHEN", "STRATEGY", "WHAT CHANGED, AND WHY IT FAILED")
    for line in lines:
        when = line.created.astimezone().strftime("%Y-%m-%d %H:%M:%S") if line.created else ""
        state = "runs" if line.runs else line.state
        why = textwrap.shorten(line.reason, _MOST_REASON, placeholder=" ...")
        what = "\n".join((*line.differences, *([why] if why else [])))
        shown.add_row(str(line.number), state, when, line.strategy, Text(what))
    _ui.console.print(shown)


def diff(  # noqa: PLR0913, PLR0917 - one per option
    name: NameArgument,
    site: SiteOption,
    old: Annotated[
        int | None, typer.Argument(min=1, help="A revision; the one before NEW if left out.", show_default=False)
    ] = None,
    new: Annotated[
        int | None, typer.Argument(min=1, help="Another one; the newest if left out.", show_default=False)
    ] = None,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
) -> None:
    """Print what differs between the manifests of two revisions, as diff -u does."""
    with services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        typer.echo(services.read_diff(kube, name, namespace, old=old, new=new), nl=False)


def rollback(  # noqa: PLR0913, PLR0917 - one per option
    name: NameArgument,
    site: SiteOption,
    to: Annotated[
        int | None, typer.Option(min=1, help="The revision; the last good one before what runs if left out.")
    ] = None,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
    take_over: TakeOverOption = False,
    timeout: TimeoutOption = 120,
    output: OutputOption = Output.TEXT,
) -> None:
    """Bring an earlier revision back, as a new one; a trial, or a rollout that was cut off, is taken back first."""
    with _ui.progress() as reporter, services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        applied = services.rollback_service(
            kube, name, namespace, reporter, to=to, timeout_s=timeout, take_over=take_over
        )
    _print(applied, output)


def promote(  # noqa: PLR0913, PLR0917 - one per option
    name: NameArgument,
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
    timeout: TimeoutOption = 120,
    output: OutputOption = Output.TEXT,
) -> None:
    """Let the canary or preview on trial take the place of what runs."""
    with _ui.progress() as reporter, services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        applied = services.promote_service(kube, name, namespace, reporter, timeout_s=timeout)
    _print(applied, output)


def pause(
    name: NameArgument,
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
) -> None:
    """Hold back any change of a service's pods until resume; pods that run stay."""
    with services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        changed = services.pause_service(kube, name, namespace)
    state = "is paused" if changed else "was paused already"
    _ui.console.print(f"{name} {state}; gedge service resume {name} goes on")


def resume(  # noqa: PLR0913, PLR0917 - one per option
    name: NameArgument,
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
    timeout: TimeoutOption = 120,
    output: OutputOption = Output.TEXT,
) -> None:
    """Go on with a rollout that was paused, or whose gedge was ended in the middle."""
    with _ui.progress() as reporter, services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        applied = services.resume_service(kube, name, namespace, reporter, timeout_s=timeout)
    _print(applied, output)


def restart(  # noqa: PLR0913, PLR0917 - one per option
    name: NameArgument,
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
    timeout: TimeoutOption = 120,
    output: OutputOption = Output.TEXT,
) -> None:
    """Replace the pods of a service by new ones of the same revision, in the way of its updates."""
    with _ui.progress() as reporter, services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        applied = services.restart_service(kube, name, namespace, reporter, timeout_s=timeout)
    _print(applied, output)


def scale(  # noqa: PLR0913, PLR0917 - one per option
    name: NameArgument,
    replicas: Annotated[int, typer.Argument(min=1, max=1000, help="How many pods.", show_default=False)],
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
    timeout: TimeoutOption = 120,
    output: OutputOption = Output.TEXT,
) -> None:
    """Give a service another number of pods, until its document is applied again; all of them must fit.

    Exit codes: 0 ready, 1 not ready, 3 not all of them fit (nothing was changed).
    """
    with _ui.progress() as reporter, services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        applied = services.scale_service(kube, name, replicas, namespace, reporter, timeout_s=timeout)
    _print(applied, output)


def _print(applied: services.Applied, output: Output) -> None:
    if output is Output.JSON:
        _ui.print_json({**asdict(applied), "changed": applied.changed})
    else:
        print_applied(applied)
