"""The verbs on a whole site: apply, kubeconfig, reset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gedge_provision import provisioning
from gedge_provision.cli import _ui
from gedge_provision.models.errors import UsageError
from gedge_provision.models.plan import ConsentFlag
from gedge_provision.models.runs import RunFailedError, RunResult
from gedge_provision.models.selection import CONCERNS
from gedge_provision.models.wording import counted

__all__ = ["OnlyOption", "SiteOption", "register", "show_run", "told_as"]

SiteOption = Annotated[
    Path,
    typer.Option(
        "--site",
        "-s",
        envvar="GEDGE_SITE",
        default_factory=provisioning.default_site_path,
        help="The site file.",
        show_default="the lab's",
    ),
]
OnlyOption = Annotated[
    str | None,
    typer.Option(
        "--only", metavar="HOST|CONCERN,...", help=f"Only these nodes and concerns. Concerns: {', '.join(CONCERNS)}."
    ),
]
CheckOption = Annotated[bool, typer.Option("--check", help="Change nothing, say what would change.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the root command."""
    app.command()(apply)
    app.command()(kubeconfig)
    app.command()(reset)


def apply(  # noqa: PLR0913, PLR0917 - the options of a command
    site: SiteOption,
    plan: Annotated[
        Path | None, typer.Argument(metavar="[PLAN]", help="A saved plan (gedge plan --out); its consents are given.")
    ] = None,
    only: OnlyOption = None,
    drain_ok: Annotated[bool, typer.Option("--drain-ok", help="Agree that nodes are drained.")] = False,
    kubelet_restart_ok: Annotated[
        bool, typer.Option("--kubelet-restart-ok", help="Agree that kubelets of nodes restart.")
    ] = False,
    reboot_ok: Annotated[
        bool, typer.Option("--reboot-ok", help="Agree that hosts reboot, for other kernel arguments.")
    ] = False,
    removal_ok: Annotated[
        bool, typer.Option("--removal-ok", help="Agree that nodes leave that the site file no longer has.")
    ] = False,
    output: _ui.OutputOption = _ui.Output.TEXT,
) -> None:
    """Bring the site's hosts to what the site file says. Safe to repeat; a killed run continues."""
    agreed: dict[ConsentFlag, bool] = {
        "drain-ok": drain_ok,
        "kubelet-restart-ok": kubelet_restart_ok,
        "reboot-ok": reboot_ok,
        "removal-ok": removal_ok,
    }
    consents = [flag for flag, given in agreed.items() if given]
    if plan is not None and (only is not None or consents):
        raise UsageError("a saved plan says all by itself", remedy="leave the other options out, or make another plan")
    with told_as(output), _ui.progress() as reporter:
        if plan is not None:
            result = provisioning.apply_plan(site, provisioning.load_plan(plan), reporter)
        else:
            result = provisioning.apply(site, reporter, only=only, consents=consents)
    show_run(result, output, check=False)


def reset(
    site: SiteOption,
    only: Annotated[str | None, typer.Option("--only", metavar="HOST,...", help="Only these nodes.")] = None,
    check: CheckOption = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: _ui.OutputOption = _ui.Output.TEXT,
) -> None:
    """Take Kubernetes and everything it runs off the site's hosts; they are then what they were before."""
    if not yes and not check:
        loaded = provisioning.load_site(site)
        names = only or ", ".join(node.name for node in loaded.nodes)
        _confirm(f"Remove Kubernetes and every pod from {names} (site {loaded.name})?")
    with told_as(output), _ui.progress() as reporter:
        result = provisioning.reset(site, reporter, check=check, only=only)
    show_run(result, output, check=check)


def kubeconfig(
    site: SiteOption,
    fetch: Annotated[bool, typer.Option("--fetch", help="Read it from the control plane again.")] = False,
) -> None:
    """Print the path of the administrator's kubeconfig: export KUBECONFIG=$(gedge kubeconfig)."""
    path = provisioning.kubeconfig_path(provisioning.load_site(site))
    if fetch or not path.is_file():
        with _ui.progress() as reporter:
            path = provisioning.fetch_kubeconfig(site, reporter)
    typer.echo(path)


def _confirm(question: str) -> None:
    try:
        typer.confirm(question, abort=True)
    except typer.Abort as error:
        raise UsageError("not confirmed, nothing was changed", remedy="answer y, or give --yes") from error


@contextmanager
def told_as(output: _ui.Output) -> Iterator[None]:
    """Print the result of a run that failed too, for scripts; people read the error."""
    try:
        yield
    except RunFailedError as error:
        if output is _ui.Output.JSON:
            show_run(error.result, output, check=False)
        raise


def show_run(result: RunResult, output: _ui.Output, *, check: bool) -> None:
    """Print what a run changed, or in check mode would."""
    if output is _ui.Output.JSON:
        _ui.print_json(asdict(result))
        return
    word = "would change" if check else "changed"
    total = sum(result.changed.values())
    _ui.console.print(
        f"{word} {counted(total, 'thing')} on {counted(len(result.changed), 'host')} in {result.seconds:.0f} s; "
        f"log {result.log}"
    )
    if check:
        for host, changes in result.changes.items():
            for change in changes:
                _ui.console.print(f"  {host}: {change}")
        return
    for server in result.servers:
        _ui.console.print(str(server), soft_wrap=True)
