"""`gedge gpu`: what the GPU operator is told of a site, and which images its nodes can run."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer
import yaml

from gedge_provision import provisioning
from gedge_provision.cli import _ui, gpu_check
from gedge_provision.cli.site import SiteOption
from gedge_provision.planning.gpu import CHART, NAMESPACE, GpuPlan

__all__ = ["app"]

app = typer.Typer(help="GPUs of a site.", no_args_is_help=True)
app.command()(gpu_check.check)


class Format(StrEnum):
    """How the values are printed."""

    YAML = "yaml"
    JSON = "json"


@app.command()
def values(
    site: SiteOption,
    output: Annotated[
        Format, typer.Option("--output", "-o", help="yaml for helm (-f) and people, json for scripts.")
    ] = Format.YAML,
) -> None:
    """Print the values of the GPU operator's chart, and the labels of nodes that it reads; needs no cluster."""
    plan = provisioning.gpu_plan(site)
    if output is Format.JSON:
        chart = {"name": CHART, "namespace": NAMESPACE, "version": f"v{plan.version}"}
        _ui.print_json({"chart": chart} | {key: one for key, one in asdict(plan).items() if key != "version"})
        return
    typer.echo(_text(plan), nl=False)
    for remark in plan.remarks:
        _ui.errors.print(f"note: {remark}", style="yellow")


def _text(plan: GpuPlan) -> str:
    """Return a file of values; what is no value of the chart stands in comments."""
    lines = [
        f"# Values of the chart gpu-operator v{plan.version} in the namespace {NAMESPACE}, by `gedge gpu values`:",
        "# change the site file instead.",
    ]
    for name, labels in plan.labels.items():
        lines += [f"# label of {name}: {key}={value}" for key, value in labels.items()]
    return "\n".join(lines) + "\n" + yaml.dump(plan.values, Dumper=_Dumper, sort_keys=False, width=1000)


class _Dumper(yaml.SafeDumper):
    """Writes everything where it stands, and configurations that are a value over several lines."""

    def ignore_aliases(self, data: object) -> bool:
        """Write what stands twice twice."""
        del data
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _string)
