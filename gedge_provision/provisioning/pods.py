"""What the pods of nodes own: CPUs, memory, devices, and where these are."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pydantic
import yaml

from gedge_provision.models.errors import UsageError
from gedge_provision.models.pod_alignment import NodePods
from gedge_provision.models.pod_resources import NodeResources
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.runs import RunFailedError
from gedge_provision.models.topology import Topology
from gedge_provision.planning.pod_alignment import align_pods
from gedge_provision.provisioning.runs import look_at_pods
from gedge_provision.provisioning.sites import load_site

__all__ = ["pods_of"]


def pods_of(
    site_path: Path, nodes: Collection[str] = (), reporter: Reporter = SILENT, *, everything: bool = False
) -> tuple[NodePods, ...]:
    """Return what the pods of each node own, read over SSH now, and what is wrong with it; nothing is changed.

    Args:
        site_path: the site file.
        nodes: names of nodes; none for all of the site.
        reporter: receives the phases of the look.
        everything: also list containers that own nothing.

    Returns:
        The nodes in the order of the site file. One that does not tell has a `problem`.

    Raises:
        UsageError: the site has no such node.
        RunFailedError: the look failed before any host was asked.
    """
    names = [node.name for node in load_site(site_path).nodes]
    unknown = [name for name in nodes if name not in names]
    if unknown:
        raise UsageError(
            f"there is no node {', '.join(map(repr, unknown))}",
            place=str(site_path),
            remedy=f"name nodes of {', '.join(sorted(names))}",
        )
    wanted = [name for name in names if name in nodes or not nodes]
    problems: dict[str, str] = {}
    try:
        found = look_at_pods(site_path, nodes, reporter)
    except RunFailedError as error:
        found = error.result
        problems = {failure.host: failure.message for failure in found.failures}
        if not set(problems) <= set(wanted):
            raise
    return tuple(
        NodePods(node=name, problem=problems[name])
        if name in problems
        else _pods_of(name, found.pods[name], found.topologies[name], everything=everything)
        for name in wanted
    )


def _pods_of(name: str, pods: dict[str, Any], topology: dict[str, Any], *, everything: bool) -> NodePods:
    try:
        kubelet = yaml.safe_load(pods["kubelet"]) or {}
        told = NodeResources.model_validate({**pods, "kubelet": kubelet})
    except (yaml.YAMLError, pydantic.ValidationError) as error:
        why = (
            str(error.errors(include_url=False)[0]["loc"])
            if isinstance(error, pydantic.ValidationError)
            else "config.yaml"
        )
        problem = (
            f"what its kubelet tells of pods cannot be read ({why}) -> look at the kubelet's version and its files"
        )
        return NodePods(node=name, problem=problem)
    return align_pods(name, told, Topology.model_validate(topology), everything=everything)
