"""How the record of a site goes on with each run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gedge_provision.models.changes import Change
from gedge_provision.models.runs import RunResult
from gedge_provision.models.site import Node, Role, Site
from gedge_provision.models.site_records import HostRecord, SiteRecord
from gedge_provision.planning.inventory import Inventory, connection

__all__ = ["after_apply", "applied", "before_apply", "without"]

_MAKING = ("create", "install", "load", "add", "init", "join", "enable", "start", "stop", "mask")
_UNMAKING = ("remove", "restore", "unload", "disable")


def before_apply(record: SiteRecord, site: Site, hosts: Collection[str]) -> SiteRecord:
    """Add the hosts that a run is about to work on: should it be killed, they are known."""
    known = dict(record.hosts)
    for node in site.nodes:
        if node.name in hosts:
            known[node.name] = _host(site, node, known.get(node.name))
    return record.model_copy(update={"hosts": known})


def after_apply(
    before: SiteRecord,
    site: Site,
    result: RunResult,
    *,
    hosts: Collection[str],
    applied: SiteRecord | None,
) -> SiteRecord:
    """Take down what a run did.

    Args:
        before: the record when the run began.
        site: the site.
        result: what it did.
        hosts: those that it was to work on.
        applied: the site with its artifacts, if the run was a whole one and ended well.
    """
    record = before_apply(before, site, hosts)
    known = dict(record.hosts)
    roles = {node.name: "control_plane" in node.roles for node in site.nodes}
    left = {change.name for found in result.changes.values() for change in found if change.action == "forget"}
    for name, host in record.hosts.items():
        made = _made(host.made, result.changes.get(name, ()))
        facts = result.facts.get(name, host.facts)
        topology = result.topologies.get(name, host.topology)
        role = (
            host.control_plane if result.failures or name not in result.facts else roles.get(name, host.control_plane)
        )
        known[name] = host.model_copy(
            update={"made": made, "facts": facts, "topology": topology, "control_plane": role}
        )
    names = {node.name for node in site.nodes}
    # A host that left; one that was named by mistake and never answered, or on which nothing was begun.
    silent = [name for name in hosts if name not in before.hosts and (name not in result.facts or result.refused)]
    gone = {name for name in known if name not in names and (name in left or applied is not None)}
    for name in gone.union(silent):
        known.pop(name, None)
    update: dict[str, Any] = {"hosts": known}
    if applied is not None:
        update |= {"site": applied.site, "images": applied.images, "artifacts": applied.artifacts}
    return record.model_copy(update=update)


def applied(site: Site, inventory: Inventory, images: Mapping[str, str]) -> SiteRecord:
    """Return what is remembered of a site that was applied; of its hosts nothing."""
    digests: dict[Role, dict[str, str]] = {}
    for node in site.nodes:
        role: Role = "control_plane" if "control_plane" in node.roles else "worker"
        items = inventory.host_variables[node.name]["artifacts_items"]
        # Of all nodes: some have less, where an operator brings the rest.
        digests.setdefault(role, {}).update({item["name"]: item["sha256"] for item in items})
    return SiteRecord(site=site, images=dict(images), artifacts=digests)


def without(record: SiteRecord, hosts: Collection[str]) -> SiteRecord:
    """Take hosts out of the record that were reset."""
    return record.model_copy(
        update={"hosts": {name: host for name, host in record.hosts.items() if name not in hosts}, "site": None}
    )


def _host(site: Site, node: Node, former: HostRecord | None) -> HostRecord:
    return HostRecord(
        connection=connection(site, node),
        # Of a host that was there before, only a run that ended well may say that its role is another one.
        control_plane=former.control_plane if former else "control_plane" in node.roles,
        node_class=node.node_class,
        made=former.made if former else (),
        facts=former.facts if former else {},
        topology=former.topology if former else {},
    )


def _made(before: Sequence[Change], changes: Sequence[Change]) -> tuple[Change, ...]:
    made = list(before)
    for change in changes:
        if change.action in _UNMAKING:
            made = [other for other in made if not _goes_with(other, change)]
        elif change.action == "set":
            made = _set(made, change)
        elif change.action in _MAKING and not change.of_cluster and change.kind != "kubeconfig" and change not in made:
            made.append(change)
    return tuple(made)


def _set(made: Sequence[Change], change: Change) -> list[Change]:
    """Put a setting in the place of its former value: a host of its kind gets the one that is there now.

    Virtual functions that are made anew come with their settings, which are not told one by one.
    """
    setting, card = _setting(change), change.name.partition(" ")[0]
    one_function, functions = f"{card} vf ", ("nic", f"{card} vfs")
    if setting[1].startswith(one_function) and any(_setting(other) == functions for other in made):
        return list(made)
    others = [other for other in made if setting != functions or not other.name.startswith(one_function)]
    former = [other for other in others if _setting(other) == setting]
    if not former:
        return [*others, change]
    return [change if other == former[0] else other for other in others if other not in former[1:]]


def _setting(change: Change) -> tuple[str, str]:
    """Return kind and name without the value: `nic` and `0000:41:00.0 vfs`."""
    return change.kind, change.name.partition("=")[0]


def _goes_with(made: Change, unmade: Change) -> bool:
    """Tell whether something is gone by a change: itself, or what was in a folder that is removed."""
    inside = unmade.kind == "folder" and made.kind in ("file", "folder") and made.name.startswith(f"{unmade.name}/")
    # A unit goes with its file.
    inside = inside or (made.kind == "unit" and unmade.name == f"/etc/systemd/system/{made.name}")
    # A card is given back whole; what was set on it stands behind its address.
    inside = inside or (made.kind == unmade.kind == "nic" and made.name.startswith(f"{unmade.name} "))
    return inside or (made.kind, made.name) == (unmade.kind, unmade.name)
