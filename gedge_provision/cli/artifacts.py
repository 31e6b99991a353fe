"""`gedge artifacts`: the binaries, CNI plugins and images that roles install."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from gedge_provision import artifacts
from gedge_provision.adapters.locations import cache_dir
from gedge_provision.artifacts import archive
from gedge_provision.artifacts.build import build as build_artifacts
from gedge_provision.artifacts.inspect import Listed, list_artifacts
from gedge_provision.artifacts.inspect import verify as verify_store
from gedge_provision.cli import _ui
from gedge_provision.models.catalog import Source

__all__ = ["app"]

app = typer.Typer(
    help="The binaries, CNI plugins and images that roles install: build, check, carry to a site without a network.",
    no_args_is_help=True,
)

_MEGABYTE = 1_000_000
_PIPE_WIDTH = 120
_Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="Artifacts; all that hosts need if left out.")
]


@app.command()
def build(
    names: _Names = None,
    source: Annotated[
        Source | None,
        typer.Option(
            "--source",
            "-s",
            help="Make everything from this source: build (pinned Go modules) or upstream (official files and "
            "registries, pinned). Left out: keep what is stored from either, build the rest.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Make them even when they are up to date (newer Debian packages in images).")
    ] = False,
    output: _ui.OutputOption = _ui.Output.TEXT,
) -> None:
    """Bring the store to what the catalog wants; finished work is kept, so an interrupted run goes on."""
    began = time.monotonic()
    with _ui.progress() as reporter:
        report = build_artifacts(
            artifacts.load_catalog(),
            artifacts.default_store(),
            cache_dir(),
            reporter,
            names=names or (),
            source=source,
            force=force,
        )
    elapsed = time.monotonic() - began
    if output is _ui.Output.JSON:
        _ui.print_json(
            {
                "made": list(report.made),
                "unchanged": list(report.unchanged),
                "damaged": list(report.damaged),
                "left_out": list(report.left_out),
                "elapsed_s": round(elapsed, 1),
            }
        )
    elif report.made:
        _ui.console.print(f"{len(report.made)} artifacts made, {len(report.unchanged)} unchanged in {elapsed:.1f} s")
    else:
        _ui.console.print(f"nothing to do: {len(report.unchanged)} artifacts are up to date ({elapsed:.1f} s)")
    if report.left_out and output is _ui.Output.TEXT:
        _ui.console.print(f"not in the store, from their publishers only: {', '.join(report.left_out)}")


@app.command("list")
def list_(output: _ui.OutputOption = _ui.Output.TEXT) -> None:
    """Show every artifact of the catalog, and what is stored of it."""
    listed = list_artifacts(artifacts.load_catalog(), artifacts.default_store())
    if output is _ui.Output.JSON:
        _ui.print_json([_row(item) for item in listed])
        return
    table = Table("NAME", "KIND", "VERSION", "SIZE", "SHA256", "STATE", "SOURCE", box=None)
    styles = {"current": "green", "outdated": "yellow", "missing": "red"}
    for item in listed:
        stored = item.stored
        table.add_row(
            item.artifact.name,
            item.artifact.kind.value,
            item.artifact.version,
            f"{stored.size / _MEGABYTE:.1f} MB" if stored else "",
            stored.sha256[:12] if stored else "",
            f"[{styles[item.state]}]{item.state}[/]",
            stored.source if stored else "",
        )
    _ui.console.print(table, width=None if _ui.console.is_terminal else _PIPE_WIDTH)


@app.command()
def verify(output: _ui.OutputOption = _ui.Output.TEXT) -> None:
    """Hash every stored file again; exit code 1 when one differs from the index."""
    store = artifacts.default_store()
    sound, damaged = verify_store(store)
    if output is _ui.Output.JSON:
        _ui.print_json({"sound": list(sound), "damaged": {item.artifact.name: item.problem for item in damaged}})
    else:
        for item in damaged:
            _ui.errors.print(f"[bold red]damaged[/]  {item.artifact.name}: {item.problem} ({item.artifact.path})")
        _ui.console.print(f"{len(sound)} of {len(sound) + len(damaged)} artifacts in {store.root} are sound")
        if damaged:
            _ui.errors.print("-> run: gedge artifacts build (it makes the damaged ones again)")
    if damaged:
        raise typer.Exit(1)


@app.command()
def pack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive to write.")],
    names: _Names = None,
    output: _ui.OutputOption = _ui.Output.TEXT,
) -> None:
    """Write artifacts with their index into one archive, for a site without a network."""
    with _ui.progress() as reporter:
        digest = archive.pack(artifacts.load_catalog(), artifacts.default_store(), file, reporter, tuple(names or ()))
    if output is _ui.Output.JSON:
        _ui.print_json({"file": str(file), "sha256": digest, "size": file.stat().st_size})
    else:
        _ui.console.print(f"{digest}  {file}")


@app.command()
def unpack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An archive that `gedge artifacts pack` wrote.")],
    sha256: Annotated[str | None, typer.Option("--sha256", help="The digest that pack printed; checked first.")] = None,
    output: _ui.OutputOption = _ui.Output.TEXT,
) -> None:
    """Put the artifacts of an archive into the store; all of it is checked before anything is placed."""
    with _ui.progress() as reporter:
        placed = archive.unpack(artifacts.default_store(), file, reporter, sha256)
    if output is _ui.Output.JSON:
        _ui.print_json({"placed": [artifact.name for artifact in placed]})
    else:
        _ui.console.print(f"{len(placed)} artifacts placed")


def _row(item: Listed) -> dict[str, Any]:
    stored = item.stored
    return {
        "name": item.artifact.name,
        "kind": item.artifact.kind.value,
        "version": item.artifact.version,
        "purpose": item.artifact.purpose,
        "needed_on": [place.value for place in item.artifact.needed_on],
        "feature": item.artifact.feature.value if item.artifact.feature else None,
        "target": item.artifact.target,
        "state": item.state,
        "size": stored.size if stored else None,
        "sha256": stored.sha256 if stored else None,
        "source": stored.source if stored else None,
        "path": str(stored.path) if stored else None,
    }
