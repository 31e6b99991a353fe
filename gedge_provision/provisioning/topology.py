"""The topology of a host or of a recorded snapshot, its plan, and both drawn as a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pydantic

from gedge_provision.adapters.pages import render_page
from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import CpuPlan
from gedge_provision.models.cpusets import format_cpuset
from gedge_provision.models.errors import UsageError
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.topology import Topology
from gedge_provision.planning.cpu_plans import place_boxes, summary
from gedge_provision.planning.node_plans import plan_host
from gedge_provision.provisioning.runs import look_at_topology
from gedge_provision.provisioning.sites import load_site

__all__ = ["Asked", "asked_of", "plan_cpus", "read_topology", "topology_of", "topology_svg"]


def topology_of(target: str, site_path: Path, reporter: Reporter = SILENT) -> Topology:
    """Return the topology of a host of the site, read over SSH now, or of a snapshot in a file.

    Args:
        target: name of a node of the site, or path of a file; the node counts first.
        site_path: the site file; not read where `target` is a path with a folder or a suffix .json.
        reporter: receives the phases of the look.

    Raises:
        UsageError: there is neither such a node nor such a file; the file is no snapshot.
        RunFailedError: the host does not tell.
    """
    path = Path(target)
    if path.suffix == ".json" or len(path.parts) > 1:
        return read_topology(path)
    names = [node.name for node in load_site(site_path).nodes]
    if target not in names and path.is_file():
        return read_topology(path)
    if target not in names:
        raise UsageError(
            f"there is neither a node nor a file {target!r}",
            place=str(site_path),
            remedy=f"name one of {', '.join(sorted(names))}, or a file that gedge topology show HOST -o json has made",
        )
    return Topology.model_validate(look_at_topology(site_path, target, reporter).topologies[target])


@dataclass(frozen=True)
class Asked:
    """What a plan is made for: the intent (None for none), settings of the kubelet and kernel arguments, as written.

    `control_plane` tells whether one runs there, which needs CPU time too.
    """

    intent: CpuIntent | None = None
    settings: KubeletSettings = field(default_factory=KubeletSettings)
    kernel_arguments: tuple[str, ...] = ()
    control_plane: bool = False


def asked_of(target: str, site_path: Path) -> Asked:
    """Return what a site asks of a node; nothing for a snapshot in a file."""
    path = Path(target)
    if path.suffix == ".json" or len(path.parts) > 1:
        return Asked()
    site = load_site(site_path)
    node = next((node for node in site.nodes if node.name == target), None)
    if node is None:
        return Asked()
    node_class = site.node_classes[node.node_class]
    arguments = node_class.kernel_arguments
    return Asked(site.cpu_intent(node), node_class.kubelet, arguments, "control_plane" in node.roles)


def read_topology(path: Path) -> Topology:
    """Read a snapshot that was recorded as JSON.

    Raises:
        UsageError: there is no such file, or it is no snapshot.
    """
    remedy = "record one: gedge topology show HOST --output json >FILE.json"
    try:
        return Topology.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is no text"
        raise UsageError(f"no snapshot can be read: {why}", place=str(path), remedy=remedy) from None
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ").partition(" -> ")[0]
        raise UsageError(
            f"this is no snapshot of a topology: {f'{where}: ' if where else ''}{message}",
            place=str(path),
            remedy=remedy,
        ) from None


def plan_cpus(
    topology: Topology,
    intent: CpuIntent,
    settings: KubeletSettings | None = None,
    kernel_arguments: tuple[str, ...] = (),
    *,
    control_plane: bool = False,
) -> CpuPlan:
    """Compute the plan of a host's CPUs, memory and interrupts.

    Raises:
        InfeasibleError: the host cannot have what is asked for; with every reason and the smallest change.
    """
    return plan_host(
        topology, intent, settings or KubeletSettings(), kernel_arguments, control_plane=control_plane
    ).cpus


def topology_svg(topology: Topology, plan: CpuPlan | None = None) -> str:
    """Return a host as an SVG image that needs no other file."""
    return render_page(
        "topology.svg.j2",
        page=place_boxes(topology, plan),
        title=topology.host or "a host",
        summary=summary(topology),
        offline=format_cpuset(topology.offline),
        efficient=any(core.kind == "efficiency" for core in topology.cores),
    )
