"""What is known before the first pod: nodes, paths, what fits where, and how long it will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.kube import Kube, NotFoundError
from gedge_provision.models.cluster import NETWORK_ATTACHMENT, NODE, POD, Manifest, NodeState
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.perf import NodeFacts, PerfSettings, Problem
from gedge_provision.models.site import Site
from gedge_provision.planning import perf as planning
from gedge_provision.provisioning.sites import load_site, present_kubeconfig, site_folder

__all__ = ["Choice", "Ground", "choose", "look"]

TOOLS = "network-tools"
"""The image with the tools, by its name in the catalog."""


@dataclass(frozen=True)
class Choice:
    """What was asked for, checked against the site file."""

    site: Site
    kubeconfig: Path
    folder: Path
    ends: planning.Ends
    paths: tuple[planning.NetPath, ...]
    left_out: tuple[Problem, ...]
    image: str
    pull: bool
    settings: PerfSettings


@dataclass(frozen=True)
class Ground:
    """What the cluster has for it."""

    batches: tuple[tuple[planning.Pair, ...], ...]
    problems: tuple[Problem, ...]
    nodes: tuple[NodeFacts, ...]
    version: str
    emulation: str
    slow: bool


def choose(  # noqa: PLR0913 - the choices of a user
    site_path: Path,
    client: str | None,
    server: str | None,
    *,
    same_node: bool,
    networks: Sequence[str],
    addresses: Sequence[str],
    image: str | None,
    settings: PerfSettings,
) -> Choice:
    """Check what was asked for against the site file.

    Raises:
        UsageError: it cannot be measured; nothing was started.
    """
    site = load_site(site_path)
    ends = planning.choose_ends(site, client, server, same_node=same_node)
    paths, left_out = planning.find_paths(site, ends, networks, planning.parse_addresses(addresses))
    kubeconfig = present_kubeconfig(site)
    return Choice(
        site, kubeconfig, site_folder(site) / "perf", ends, paths, left_out, image or _tools_image(),
        pull=image is not None, settings=settings,
    )  # fmt: skip


def _tools_image() -> str:
    artifact = load_catalog().artifact(TOOLS)
    assert artifact is not None  # noqa: S101 - a test holds it in the catalog
    assert artifact.reference is not None  # noqa: S101 - an image has one
    return artifact.reference


def look(kube: Kube, choice: Choice) -> Ground:
    """Look at the cluster.

    Raises:
        GedgeError: a node is missing or not ready, or nothing can be measured.
    """
    live = {item["metadata"]["name"]: item for item in kube.find(NODE)}
    names = list(dict.fromkeys([choice.ends.client.name, choice.ends.server.name]))
    for name in names:
        _check_node(live.get(name), name)
    pods = kube.find(POD)
    free = {name: planning.free_resources(NodeState.model_validate(live[name]), pods) for name in names}
    paths, missing = _installed(kube, choice)
    pairs = planning.make_pairs(paths, choice.settings)
    batches, unfit = planning.make_batches(pairs, choice.ends, free, choice.settings.pinned_cpus or 0)
    problems = (*choice.left_out, *missing, *unfit)
    if not batches:
        first = next((problem for problem in problems if problem not in choice.left_out), problems[0])
        raise GedgeError(f"nothing can be measured: {first.message}", place=first.path, remedy=first.remedy)
    nodes = tuple(planning.node_facts(live[name], kube.kubelet_configuration(name)) for name in names)
    emulation = planning.emulation(choice.site, nodes)
    return Ground(batches, problems, nodes, kube.version(), emulation, slow=any(node.emulated for node in nodes))


def _check_node(node: Manifest | None, name: str) -> None:
    if node is None:
        raise GedgeError("the cluster has no such node", place=name, remedy="join it: gedge apply")
    if not NodeState.model_validate(node).ready:
        raise GedgeError("the node is not ready", place=name, remedy="see why: gedge status, gedge verify")


def _installed(kube: Kube, choice: Choice) -> tuple[tuple[planning.NetPath, ...], tuple[Problem, ...]]:
    """Return the paths whose attachments are in the cluster, and a problem for each of the others."""
    wanted = [path for path in choice.paths if path.attachment is not None]
    if not wanted:
        return choice.paths, ()
    try:
        found = {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in kube.find(NETWORK_ATTACHMENT)}
        why = "the cluster has no NetworkAttachmentDefinition of it"
    except NotFoundError:
        found, why = set(), "the cluster has no Multus"
    missing = [
        path
        for path in wanted
        if path.attachment is not None and (path.attachment.namespace, path.attachment.name) not in found
    ]
    problems = [
        Problem(path=path.name, what="not installed", message=why, remedy="install it: gedge apply") for path in missing
    ]
    return tuple(path for path in choice.paths if path not in missing), tuple(problems)
