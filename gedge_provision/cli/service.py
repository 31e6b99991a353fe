"""`gedge service`: from a service document to a running, reachable service."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
import yaml

from gedge_provision import services
from gedge_provision.cli import _ui
from gedge_provision.cli._cluster import (
    KubeconfigOption,
    NamespaceOption,
    OptionalSiteOption,
    chosen_kubeconfig,
    chosen_site,
)
from gedge_provision.cli._service import (
    FileArgument,
    NameArgument,
    PlainOption,
    TemplateOption,
    TimeoutOption,
    new_table,
    print_applied,
    print_changes,
    print_checked,
    reachable_at,
)
from gedge_provision.cli._ui import Output, OutputOption
from gedge_provision.cli.service_fit import fit
from gedge_provision.cli.service_rollout import diff, history, pause, promote, restart, resume, rollback, scale
from gedge_provision.cli.site import SiteOption
from gedge_provision.models.errors import UsageError
from gedge_provision.models.rollouts import Strategy
from gedge_provision.planning.manifests import render as render_service

__all__ = ["app"]

app = typer.Typer(name="service", help="Deploy services and see how they do.", no_args_is_help=True)

FilesArgument = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help="Service documents, YAML or JSON, or folders of them.", show_default=False),
]


@app.command()
def apply(  # noqa: PLR0913, PLR0917 - one per option
    files: FilesArgument,
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
    template: TemplateOption = None,
    without_acceleration: PlainOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything on the server, and say what would change.")
    ] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Overwrite fields that another field manager set to another value.")
    ] = False,
    canary: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=99,
            metavar="PERCENT",
            help="Give the new revision this share of the pods, and so of the traffic, until promote or rollback.",
        ),
    ] = None,
    blue_green: Annotated[
        bool,
        typer.Option(
            "--blue-green", help="Bring the new revision up beside the old, without traffic until promote or rollback."
        ),
    ] = False,
    rollback: Annotated[
        bool,
        typer.Option(
            "--rollback/--no-rollback", help="Go back to the revision that ran when the new one does not get ready."
        ),
    ] = True,
    timeout: TimeoutOption = 120,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make the cluster run services as described, wait until they are ready, and say how to reach them.

    What is in a folder is applied in the order of dependsOn. JSON is an object for one file, a list otherwise.

    Exit codes: 0 ready, 1 not ready or refused, 2 wrong document, 3 no node can hold it (nothing was created).
    """
    if canary and blue_green:
        raise UsageError("a rollout is either a canary or blue-green", remedy="leave one of the two options out")
    strategy = Strategy("canary", canary) if canary else Strategy("blue-green" if blue_green else "rolling")
    with _ui.progress() as reporter:
        wanted = services.load_services(
            files,
            reporter,
            accelerated=not without_acceleration,
            templates=template or (),
            site=chosen_site(site, kubeconfig),
        )
        with services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
            applied = services.apply_services(
                kube,
                wanted,
                namespace,
                reporter,
                timeout_s=timeout,
                dry_run=dry_run,
                take_over=take_over,
                rollback=rollback,
                strategy=strategy,
            )
    failed = [error for error in (one.error for one in applied) if error is not None]
    if output is Output.JSON:
        told = [{**asdict(one), "changed": one.changed, "dry_run": dry_run} for one in applied]
        _ui.print_json(told[0] if len(files) == 1 and not files[0].is_dir() else told)
    else:
        _print_all(applied, dry_run=dry_run)
    for error in failed:
        _ui.show_error(error)
    if failed:
        raise typer.Exit(1)


for verb in (fit, history, diff, rollback, promote, pause, resume, restart, scale):
    app.command()(verb)


@app.command("list")
def list_(
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of every namespace.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the services that gedge deployed."""
    with services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        lines = services.list_services(kube, None if all_namespaces else namespace)
    if output is Output.JSON:
        _ui.print_json([asdict(line) for line in lines])
        return
    if not lines:
        where = "any namespace" if all_namespaces else f"namespace {namespace}"
        _ui.console.print(f"no service in {where}")
        return
    table = new_table("NAMESPACE", "NAME", "STATE", "REACH IT AT")
    for line in lines:
        table.add_row(line.namespace, line.name, _with_scaling(line), reachable_at(line.urls))
    _ui.console.print(table)


@app.command()
def status(
    name: NameArgument,
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
    output: OutputOption = Output.TEXT,
) -> None:
    """Show a service, its pods and what keeps it from being ready.

    Exit codes: 0 ready, 1 not ready or not there.
    """
    with services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        found = services.read_status(kube, namespace, name)
    if output is Output.JSON:
        _ui.print_json(asdict(found))
    else:
        _print_status(found)
    if not found.ready:
        raise typer.Exit(1)


@app.command()
def delete(  # noqa: PLR0913, PLR0917 - one per option
    name: NameArgument,
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
    timeout: TimeoutOption = 120,
    output: OutputOption = Output.TEXT,
) -> None:
    """Delete a service and wait until nothing is left but volumes of its pods; a second time does nothing."""
    with _ui.progress() as reporter, services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        deleted = services.delete_service(kube, name, namespace, reporter, timeout_s=timeout)
    if output is Output.JSON:
        _ui.print_json({"name": name, "namespace": namespace, "deleted": deleted})


@app.command()
def check(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Service documents and templates, or folders of them.", show_default=False
        ),
    ],
    site: OptionalSiteOption = None,
    template: TemplateOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Say whether service documents and templates are right, with what is rounded or read otherwise; needs no cluster.

    Exit codes: 0 all are right, 2 one is not: every mistake is told with file:line, field and remedy.
    """
    checked = services.check_documents(files, templates=template or (), site=chosen_site(site))
    if output is Output.JSON:
        _ui.print_json([asdict(one) for one in checked])
        return
    print_checked(checked)


@app.command()
def render(  # noqa: PLR0913, PLR0917 - one per option
    file: FileArgument,
    site: OptionalSiteOption = None,
    namespace: NamespaceOption = "default",
    template: TemplateOption = None,
    without_acceleration: PlainOption = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print the Kubernetes manifests of a service document (YAML, or JSON); needs no cluster."""
    with _ui.progress() as reporter:
        service = services.load_service(
            file,
            reporter,
            accelerated=not without_acceleration,
            templates=template or (),
            site=chosen_site(site),
        )
    manifests = render_service(service, namespace)
    if output is Output.JSON:
        _ui.print_json(manifests)
    else:
        typer.echo(yaml.safe_dump_all(manifests, sort_keys=False, explicit_start=True), nl=False)


def _print_all(applied: tuple[services.Applied, ...], *, dry_run: bool) -> None:
    for one in applied:
        if dry_run:
            print_changes(one.changes)
        elif not one.problem:
            print_applied(one, unchanged=not one.changed)
    if len(applied) > 1 and not dry_run:
        states = Counter(one.state for one in applied)
        _ui.console.print(", ".join(f"{number} {state}" for state, number in states.items()))


def _print_status(found: services.ServiceStatus) -> None:
    revision = f", revision {found.revision}" if found.revision else ""
    state = "ready" if found.ready else "not ready"
    _ui.console.print(f"{found.namespace}/{found.name}: {state}, {_with_scaling(found)}{revision}")
    if found.rollout:
        _ui.console.print(f"  {found.rollout}", markup=False)
    if found.problem:
        _ui.console.print(f"  {found.problem}\n  -> {found.remedy}", markup=False)
    for url in found.urls:
        _ui.console.print(f"  {url}")
    table = new_table("POD", "NODE", "PHASE", "READY", "QOS", "RESTARTS", "ADDRESS")
    for pod in found.pods:
        ready = "yes" if pod.ready else "no"
        table.add_row(pod.name, pod.node, pod.phase, ready, pod.qos, str(pod.restarts), pod.address)
    _ui.console.print(table)


def _with_scaling(found: services.ServiceLine | services.ServiceStatus) -> str:
    return f"{found.detail}, {found.scaling}" if found.scaling else found.detail
