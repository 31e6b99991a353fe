"""`gedge timer`: systemd looks for drift."""

from __future__ import annotations

from typing import Annotated

import typer

from gedge_provision import provisioning
from gedge_provision.cli import _ui
from gedge_provision.cli.plans import TextfileOption
from gedge_provision.cli.site import SiteOption
from gedge_provision.provisioning.timers import DEFAULT_INTERVAL

__all__ = ["app"]

app = typer.Typer(
    help="Let systemd look for drift: a service and a timer, of the system for root, else of the user's own manager.",
    no_args_is_help=True,
)

EveryOption = Annotated[str, typer.Option("--every", help="Time between two looks: 15min, 1h 30min, 1d.")]


@app.command()
def install(site: SiteOption, every: EveryOption = DEFAULT_INTERVAL, textfile: TextfileOption = None) -> None:
    """Write the two units and start the timer; a second time says that it is unchanged."""
    with _ui.progress() as reporter:
        changed = provisioning.install_timer(site, reporter, every=every, textfile=textfile)
    _ui.console.print(f"installed, every {every}" if changed else "unchanged")


@app.command()
def remove(site: SiteOption) -> None:
    """Stop the timer and remove its units, and the file for metrics that they write."""
    _ui.console.print("removed" if provisioning.remove_timer(site) else "unchanged: there is no timer of this site")


@app.command()
def show(site: SiteOption, every: EveryOption = DEFAULT_INTERVAL, textfile: TextfileOption = None) -> None:
    """Print the units that install with the same options writes; needs no systemd."""
    for number, (name, text) in enumerate(provisioning.timer_units(site, every, textfile).items()):
        typer.echo(f"{chr(10) * bool(number)}# {name}\n{text}", nl=False)
