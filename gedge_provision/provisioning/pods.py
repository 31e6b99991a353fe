"""What the pods of nodes own: CPUs, memory, devices, and where these are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic
import yaml

from gedge_provision.models.errors import UsageError
from gedge_provision.models.pod_alignment import NodePods
from gedge_provision.models.pod_resources import NodeLook, NodeResources
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.runs import RunFailedError
from gedge_provision.models.topology import Topology
from gedge_provision.planning.pod_alignment import align_pods
from gedge_provision.provisioning.runs import look_at_pods
from gedge_provision.provisioning.sites import load_site

__all__ = ["looks_of", "pods_of"]


@dataclass(frozen=True)
class _Seen:
    """What was seen of nodes, and why others do not tell; both by name."""

    looks: dict[str, NodeLook] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def looks_of(site_path: Path, reporter: Reporter = SILENT) -> tuple[dict[str, NodeLook], dict[str, str]]:
    """Return what the kubelet and the kernel of each node tell, read over SSH now; nothing is changed.

    Args:
        site_path: the site file.
        reporter: receives the phases of the look.

    Returns:
        The looks by node, and why others do not tell.

    Raises:
        RunFailedError: the look failed before any host was asked.
    """
    seen = _look(site_path, [node.name for node in load_site(site_path).nodes], (), reporter)
    return seen.looks, seen.problems


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
    seen = _look(site_path, wanted, nodes, reporter)
    return tuple(
        NodePods(node=name, problem=seen.problems[name])
        if name in seen.problems
        else align_pods(name, seen.looks[name].told, seen.looks[name].topology, everything=everything)
        for name in wanted
    )


def _look(site_path: Path, wanted: Collection[str], hosts: Collection[str], reporter: Reporter) -> _Seen:
    seen = _Seen()
    try:
        found = look_at_pods(site_path, hosts, reporter)
    except RunFailedError as error:
        found = error.result
        seen.problems.update({failure.host: failure.message for failure in found.failures})
        if not set(seen.problems) <= set(wanted):
            raise
    for name in wanted:
        if name in seen.problems:
            continue
        look = _parsed(found.pods[name], found.topologies[name])
        if isinstance(look, str):
            seen.problems[name] = look
        else:
            seen.looks[name] = look
    return seen


def _parsed(pods: dict[str, Any], topology: dict[str, Any]) -> NodeLook | str:
    """Return what a node tells, or why that cannot be read."""
    try:
        kubelet = yaml.safe_load(pods["kubelet"]) or {}
        told = NodeResources.model_validate({**pods, "kubelet": kubelet})
    except (yaml.YAMLError, pydantic.ValidationError) as error:
        why = (
            str(error.errors(include_url=False)[0]["loc"])
            if isinstance(error, pydantic.ValidationError)
            else "config.yaml"
        )
        return f"what its kubelet tells of pods cannot be read ({why}) -> look at the kubelet's version and its files"
    return NodeLook(told=told, topology=Topology.model_validate(topology))
