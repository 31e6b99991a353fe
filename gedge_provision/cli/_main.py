"""The root of the command line: sub-commands, and the one place where an error becomes an exit code."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from gedge_provision.cli import (
    _ui,
    artifacts,
    gpu,
    lab,
    mesh,
    nodes,
    operators,
    perf,
    plans,
    runs,
    schema,
    serve,
    service,
    site,
    timer,
    topology,
    verify,
)
from gedge_provision.models.errors import GedgeError

__all__ = ["app", "main"]

app = typer.Typer(
    name="gedge",
    help="Bare Linux hosts to a Kubernetes cluster tuned for low-latency AI services.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


site.register(app)
nodes.register(app)
plans.register(app)
verify.register(app)
runs.register(app)
app.add_typer(artifacts.app, name="artifacts")
app.add_typer(gpu.app, name="gpu")
app.add_typer(lab.app, name="lab")
app.add_typer(mesh.app)
app.add_typer(perf.app, name="perf")
app.add_typer(service.app)
app.add_typer(timer.app, name="timer")
app.add_typer(topology.app, name="topology")
app.command()(operators.operators)
app.command()(schema.schema)
app.command()(serve.serve)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gedge {version_of('gedge-provision')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Exit codes: 0 done, 1 failed or refused, 2 wrong input (nothing was changed), 3 unfit, drifted, misaligned."""


def main() -> None:
    """Run the command line; every known error ends in one screen of text and its exit code."""
    try:
        app()
    except GedgeError as error:
        _ui.show_error(error)
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk, rights: whatever the command, the file and the reason are the message
        place = str(error.filename or "")
        _ui.show_error(GedgeError(error.strerror or str(error), place=place, remedy="look at space and rights there"))
        sys.exit(GedgeError.exit_code)
    except KeyboardInterrupt:
        _ui.errors.print("interrupted")
        sys.exit(130)
