"""`gedge mesh`: services in versions under one name, and which requests go to which."""

from __future__ import annotations

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
    checked_name,
    chosen_kubeconfig,
    chosen_site,
)
from gedge_provision.cli._service import (
    PlainOption,
    TemplateOption,
    TimeoutOption,
    new_table,
    print_changes,
    print_checked,
    reachable_at,
)
from gedge_provision.cli._ui import Output, OutputOption
from gedge_provision.cli.site import SiteOption
from gedge_provision.planning.mesh import render_mesh

__all__ = ["app"]

app = typer.Typer(
    name="mesh", help="Deploy services in versions, with routes from a name to its versions.", no_args_is_help=True
)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Service mesh document, YAML or JSON.", show_default=False)
]
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", callback=checked_name, help="The mesh's name.", show_default=False)
]


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Mesh documents.", show_default=False)],
    site: OptionalSiteOption = None,
    template: TemplateOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Say whether mesh documents are right, with what they do that they do not say; needs no cluster.

    Exit codes: 0 all are right, 2 one is not: every mistake is told with file:line, field and remedy.
    """
    checked = services.check_meshes(files, templates=template or (), site=chosen_site(site))
    if output is Output.JSON:
        _ui.print_json([asdict(one) for one in checked])
    else:
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
    """Print the Kubernetes manifests of a mesh document (YAML, or JSON), HTTPRoutes included; needs no cluster."""
    with _ui.progress() as reporter:
        mesh = services.load_mesh(
            file, reporter, accelerated=not without_acceleration, templates=template or (), site=chosen_site(site)
        )
    manifests = render_mesh(mesh, namespace)
    if output is Output.JSON:
        _ui.print_json(manifests)
    else:
        typer.echo(yaml.safe_dump_all(manifests, sort_keys=False, explicit_start=True), nl=False)


@app.command()
def apply(  # noqa: PLR0913, PLR0917 - one per option
    file: FileArgument,
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
    timeout: TimeoutOption = 120,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make the cluster run the services of a mesh, wait until they are ready, and lead requests to them.

    Without a data plane for the Gateway API nothing routes by URI: requests are spread over all versions of a service.
    Versions that left the document are deleted at the end.

    Exit codes: 0 ready, 1 not ready or refused, 2 wrong document, 3 no node can hold it (nothing was created).
    """
    with _ui.progress() as reporter:
        mesh = services.load_mesh(
            file,
            reporter,
            accelerated=not without_acceleration,
            templates=template or (),
            site=chosen_site(site, kubeconfig),
        )
        with services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
            applied = services.apply_mesh(
                kube, mesh, namespace, reporter, timeout_s=timeout, dry_run=dry_run, take_over=take_over
            )
    if output is Output.JSON:
        _ui.print_json({**asdict(applied), "changed": applied.changed, "dry_run": dry_run})
    elif dry_run:
        print_changes(applied.changes)
    else:
        _ui.console.print(f"{applied.name} is ready{'' if applied.changed else ', unchanged'}")
        for url in applied.urls:
            _ui.console.print(f"  {url}")


@app.command("list")
def list_(
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of every namespace.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the service meshes that gedge deployed, and whether a data plane routes by URI."""
    with services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        lines = services.list_meshes(kube, None if all_namespaces else namespace)
    if output is Output.JSON:
        _ui.print_json([asdict(line) for line in lines])
        return
    if not lines:
        where = "any namespace" if all_namespaces else f"namespace {namespace}"
        _ui.console.print(f"no service mesh in {where}")
        return
    table = new_table("NAMESPACE", "NAME", "STATE", "ROUTES BY URI", "REACH IT AT")
    for line in lines:
        table.add_row(line.namespace, line.name, line.detail, "yes" if line.routes else "no", reachable_at(line.urls))
    _ui.console.print(table)


@app.command()
def status(
    name: NameArgument,
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = "default",
    output: OutputOption = Output.TEXT,
) -> None:
    """Show a mesh: its versions, its routes, and whether a data plane routes by them.

    Exit codes: 0 its services are ready (which says nothing of routes), 1 they are not, or it is not there.
    """
    with services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        found = services.read_mesh_status(kube, namespace, name)
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
    """Delete a mesh with its services and wait until nothing is left but volumes; a second time does nothing."""
    with _ui.progress() as reporter, services.connect(chosen_kubeconfig(site, kubeconfig)) as kube:
        deleted = services.delete_mesh(kube, name, namespace, reporter, timeout_s=timeout)
    if output is Output.JSON:
        _ui.print_json({"name": name, "namespace": namespace, "deleted": deleted})


def _print_status(found: services.MeshStatus) -> None:
    _ui.console.print(f"{found.namespace}/{found.name}: {'ready' if found.ready else 'not ready'}")
    if found.problem:
        _ui.console.print(f"  {found.problem}\n  -> {found.remedy}", markup=False)
    for url in found.urls:
        _ui.console.print(f"  {url}")
    for who, plane in (("from pods", found.inside), ("from outside", found.outside)):
        if plane is not None:
            _ui.console.print(f"requests {who}: {plane.detail}", markup=False)
            if plane.remedy:
                _ui.console.print(f"  -> {plane.remedy}", markup=False)
    versions = new_table("HOST", "VERSION", "SERVICE", "STATE")
    for version in found.versions:
        versions.add_row(version.host, version.version, version.service, version.detail)
    _ui.console.print(versions)
    if not found.routes:
        return
    routes = new_table("ROUTE", "MATCH", "HOST", "SUBSET", "PORT", "WEIGHT")
    for route in found.routes:
        port, weight = ("" if value is None else str(value) for value in (route.port, route.weight))
        routes.add_row(route.name, ", ".join(route.match), route.host, route.subset, port, weight)
    _ui.console.print(routes)
