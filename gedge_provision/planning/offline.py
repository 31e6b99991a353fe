"""What an apply would change, from what is remembered of the last one: no host and no cluster is asked. Pure.

A variable of the inventory that differs stands for the files, units and objects that are made from it. A host that is
new gets what a host of its kind got. What somebody changed by hand since is not seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from gedge_provision.models.changes import Change
from gedge_provision.models.selection import Selection
from gedge_provision.models.site import Site
from gedge_provision.models.site_records import HostRecord, SiteRecord
from gedge_provision.models.topology import Topology
from gedge_provision.planning.inventory import Inventory
from gedge_provision.planning.kubelet_changes import HugePages, KubeletChange, compare_settings
from gedge_provision.planning.node_plans import with_plans
from gedge_provision.planning.offline_emulated_gpus import emulated_gpu_changes
from gedge_provision.planning.offline_gpu_operator import operator_changes
from gedge_provision.planning.offline_gse_api_server import gse_changes
from gedge_provision.planning.offline_kernel import is_kernel_change, kernel_changes, new_kernel_changes
from gedge_provision.planning.offline_metrics import metrics_changes
from gedge_provision.planning.offline_networks import (
    attachment_changes,
    attachment_files,
    dhcp_changes,
    sriov_changes,
)
from gedge_provision.planning.offline_rdma import module_changes
from gedge_provision.planning.offline_tuning import fewer_pages, page_changes, tuning_changes

__all__ = ["recorded_changes"]

_PATCH = "/etc/kubernetes/patches/kubeletconfiguration0+merge.yaml"
_CONFLIST = "/etc/cni/net.d/10-flannel.conflist"
_FLANNEL = ("flannel_pod_network", "flannel_backend", "flannel_vni", "flannel_port", "flannel_api_endpoint")
_KEEPALIVED = ("api_endpoint_virtual_ip", "api_endpoint_virtual_router_id", "api_endpoint_backends")
_CONCERNS = (
    ("kubelet", "kubelet"),
    ("/etc/kubernetes", "kubelet"),
    ("tuning", "tuning"),
    ("huge-pages", "tuning"),
    ("containerd", "runtime"),
    ("crictl", "runtime"),
    ("sriov", "sriov"),
    ("/etc/pcidp", "sriov"),
    ("multus", "attachments"),
    ("whereabouts", "attachments"),
    ("gedge-cni", "attachments"),
    ("/etc/cni", "network"),
    ("haproxy", "endpoint"),
    ("keepalived", "endpoint"),
)
"""Parts of names of files and units, and the concern that makes them; the first that fits counts."""
_PREPARED, _KERNEL, _CARDS, _IMAGES, _ENDPOINT, _NODE, _CONNECTED = range(7)
"""What an install makes on a host, in its order."""

Found = Iterator[tuple[str, str, Change]]
"""Host, concern, change."""


def recorded_changes(
    record: SiteRecord, site: Site, old: Inventory, new: Inventory, selection: Selection
) -> dict[str, list[Change]]:
    """Return changes by host, in the order of a run.

    Args:
        record: what is remembered.
        site: the site as its file is now.
        old: the inventory of the site as it was applied last.
        new: the inventory of the site now.
        selection: what the run would be limited to.
    """
    topologies = {name: Topology.model_validate(host.topology) for name, host in record.hosts.items() if host.topology}
    old, new = with_plans(record.site or site, old, topologies), with_plans(site, new, topologies)
    changes: dict[str, list[Change]] = {}
    for host, concern, change in _all(record, site, old, new):
        if selection.hosts and host not in selection.hosts:
            continue
        if selection.concerns and concern not in selection.concerns:
            continue
        changes.setdefault(host, []).append(change)
    return changes


def _all(record: SiteRecord, site: Site, old: Inventory, new: Inventory) -> Found:
    first = new.groups["control_plane_first"][0]
    names = [node.name for node in site.nodes]
    installed = [name for name in names if name in old.host_variables and record.hosts[name].made]
    for host in installed:
        made, had, has = record.hosts[host].made, old.host_variables[host], new.host_variables[host]
        yield from ((host, "host", change) for change in module_changes(made, had, has))
        yield from _artifacts(host, had, has)
        yield from _mirrors(host, old.variables, new.variables)
        policies = (variables.get("sriov_policies", []) for variables in (had, has))
        yield from ((host, "sriov", change) for change in sriov_changes(made, *policies))
        if host in new.groups["control_plane_balanced"]:
            yield from _endpoint(host, old.variables, new.variables)
    yield from _network(first, installed, old.variables, new.variables)
    yield from ((first, "attachments", change) for change in attachment_changes(old.variables, new.variables))
    yield from ((first, "gpu", change) for change in emulated_gpu_changes(old.variables, new.variables))
    yield from ((first, "metrics", change) for change in metrics_changes(old.variables, new.variables))
    yield from ((first, "gse", change) for change in gse_changes(old.variables, new.variables))
    yield from ((first, "gpu", change) for change in operator_changes(old.variables, new.variables))
    for host in installed:
        yield from ((host, "attachments", change) for change in attachment_files(old.variables, new.variables))
        daemon = dhcp_changes(old.host_variables[host], new.host_variables[host])
        yield from ((host, "attachments", change) for change in daemon)
    for host in names:
        if host not in installed:
            yield from _new(host, record, site, new.host_variables[host])
    for host in installed:
        yield from _host(host, record, site, old, new)
    for host in new.groups["leaving"]:
        yield from ((host, "cluster", Change("node", host, action)) for action in ("drain", "leave", "forget"))
    yield from _nodes(first, names, old.variables, new.variables)
    yield from _notes(first, names, installed, old, new)


def _host(host: str, record: SiteRecord, site: Site, old: Inventory, new: Inventory) -> Found:
    """Yield what changes of a host's kernel and of its kubelet."""
    made, had, has = record.hosts[host].made, old.host_variables[host], new.host_variables[host]
    drain = new.variables["kubelet_drain"]
    pages: list[Change] = []
    numbers: HugePages = "same"
    if not _shares_kernel(site, host, record.hosts[host]):
        changes = kernel_changes(host, made, had, has, drain=new.variables["kernel_arguments_drain"])
        yield from ((host, "kernel", change) for change in changes)
        before, after = (variables.get("host_tuning_plan", {}) for variables in (had, has))
        yield from ((host, "tuning", change) for change in tuning_changes(before, after))
        pages = list(page_changes(before, after))
        numbers = "fewer" if fewer_pages(before, after) else "more" if pages else "same"
    runs, asked = had["kubelet_config"], has["kubelet_config"]
    if pages or runs != asked:
        change = compare_settings(runs, asked, huge_pages=numbers, drains=drain)
        first = [Change("node", host, "drain")] if drain and change.drain else []
        files = [Change("file", _PATCH, "change")] if runs != asked else []
        yield from ((host, "kubelet", one) for one in (*first, *pages, *files, *_restart(change)))


def _artifacts(host: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Found:
    before = {item["name"]: item for item in old["artifacts_items"]}
    for item in new["artifacts_items"]:
        former = before.get(item["name"])
        if former is None or former["sha256"] != item["sha256"]:
            # An image under another reference is another one; a program is replaced.
            same = former is not None and former["target"] in ("", item["target"])
            yield host, "artifacts", Change(item["kind"], item["name"], "change" if same else "create")
    wanted = {item["name"] for item in new["artifacts_items"]}
    # Kinds are not in the record: what is gone from the catalog's names has the kind that its target shows.
    for name, item in before.items():
        if name not in wanted:
            yield host, "artifacts", Change(_kind(item["target"]), name, "remove")


def _kind(target: str) -> str:
    if target.startswith("/opt/cni/"):
        return "cni_plugin"
    if target.startswith("/var/lib/gedge/charts/"):
        return "chart"
    return "binary" if target.startswith("/") else "image"


def _mirrors(host: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Found:
    before: Mapping[str, Any] = old["containerd_registry_mirrors"]
    after: Mapping[str, Any] = new["containerd_registry_mirrors"]
    if before == after:
        return
    actions = {name: "change" if name in before else "create" for name in after if before.get(name) != after[name]}
    actions |= {name: "remove" for name in sorted(before) if name not in after}
    for name, action in actions.items():
        yield host, "runtime", Change("file", f"/etc/containerd/certs.d/{name}/hosts.toml", action)
    if actions:
        yield host, "runtime", Change("unit", "containerd.service", "restart")


def _endpoint(host: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Found:
    files = []
    if old["api_endpoint_backends"] != new["api_endpoint_backends"]:
        files.append("/etc/haproxy/haproxy.cfg")
    if any(old[name] != new[name] for name in _KEEPALIVED):
        files.append("/etc/keepalived/keepalived.conf")
    yield from ((host, "endpoint", Change("file", path, "change")) for path in files)
    if files:
        for unit in ("haproxy.service", "keepalived.service"):
            yield host, "endpoint", Change("unit", unit, "reload")


def _network(first: str, installed: Sequence[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> Found:
    settings = any(old[name] != new[name] for name in _FLANNEL)
    if settings:
        yield first, "network", Change("ConfigMap", "kube-flannel/kube-flannel-cfg", "change")
    if settings or old.get("flannel_image") != new.get("flannel_image"):
        yield first, "network", Change("DaemonSet", "kube-flannel/kube-flannel", "change")
    if old["flannel_backend"] != new["flannel_backend"]:  # another MTU
        yield from ((host, "network", Change("file", _CONFLIST, "change")) for host in installed)


def _nodes(first: str, names: Sequence[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> Found:
    for host in sorted(names):
        labels = [variables["nodes_labels"].get(host, {}) for variables in (old, new)]
        # A node that joins comes with its taints.
        taints = [
            {(taint["key"], taint["effect"]): taint.get("value", "") for taint in variables["nodes_taints"][host]}
            for variables in (old if host in old["nodes_taints"] else new, new)
        ]
        for key, action in _compared(*labels):
            words = key if action == "remove" else f"{key}={labels[1][key]}"
            yield first, "nodes", Change("label", f"{host} {words}", action)
        for (key, effect), action in sorted(_compared(*taints)):
            value = taints[1].get((key, effect))
            yield first, "nodes", Change("taint", f"{host} {key}{f'={value}' if value else ''}:{effect}", action)


def _notes(first: str, names: Sequence[str], installed: Collection[str], old: Inventory, new: Inventory) -> Found:
    """Yield annotations of how nodes align: by their policies, and by the functions that they have."""
    for host in names:
        if host not in installed:
            yield first, "nodes", Change("annotation", f"{host} gedge.dev/alignment", "create")
            continue
        before, after = (found.variables["gedge_alignment"].get(host) for found in (old, new))
        keys = [found.host_variables[host].get("sriov_policies", []) for found in (old, new)]
        devices = [[(one.get("resource"), one["vfs"], one["nics"]) for one in policies] for policies in keys]
        gpus = [found.variables.get("gedge_emulated_gpus", {}).get(host) for found in (old, new)]
        if (before, devices[0], gpus[0]) != (after, devices[1], gpus[1]):
            # Earlier versions wrote none where a kubelet refuses nothing.
            yield first, "nodes", Change("annotation", f"{host} gedge.dev/alignment", "change" if before else "create")


def _compared(old: Mapping[Any, str], new: Mapping[Any, str]) -> list[tuple[Any, str]]:
    """Return what differs, sorted, with the action; what is removed comes last."""
    made = [(key, "change" if key in old else "create") for key in sorted(new) if old.get(key) != new[key]]
    return made + [(key, "remove") for key in sorted(set(old) - set(new))]


def _restart(change: KubeletChange) -> Iterator[Change]:
    yield from (Change("setting", words, "change") for words in change.settings)
    yield from (Change("file", f"/var/lib/kubelet/{name}_manager_state", "reset") for name in change.resets)
    yield Change("unit", "kubelet.service", "restart")


def _like(record: SiteRecord, site: Site, name: str) -> HostRecord | None:
    """Return a host of the same kind; of the same class, where there is one."""
    node = next(node for node in site.nodes if node.name == name)
    manager = "control_plane" in node.roles

    def likeness(host: HostRecord) -> tuple[bool, int]:
        return host.node_class == node.node_class, len(host.made)

    hosts = [host for other, host in record.hosts.items() if host.control_plane == manager and other != name]
    return max(hosts, key=likeness, default=None)


def _shares_kernel(site: Site, name: str, known: HostRecord | None) -> bool:
    """Tell whether a node is a container: by the site file in a lab, else by what it, or one of its kind, told."""
    if site.lab is not None:
        return name not in site.lab.emulated
    return known is not None and bool(known.facts.get("container"))


def _new(host: str, record: SiteRecord, site: Site, variables: Mapping[str, Any]) -> Found:
    """Yield what a host of its kind got, and the kernel arguments of its own class: it reboots before it joins.

    In the order of an install, which is not that of the record when a run was interrupted or something came later.
    """
    like = _like(record, site, host)
    made = like.made if like else ()
    kernel = [] if _shares_kernel(site, host, like) else list(new_kernel_changes(host, made, variables))
    others = [change for change in made if change.kind != "node" and not is_kernel_change(change)]
    found = [(_step(change), _concern(change), change) for change in (*others, Change("node", host, "join"))]
    found += [(_KERNEL, "kernel", change) for change in kernel]
    yield from ((host, concern, change) for _, concern, change in sorted(found, key=itemgetter(0)))


def _step(change: Change) -> int:
    """Return the step of an install in which something is made."""
    if change.kind in ("node", "image"):
        return _NODE if change.kind == "node" else _IMAGES
    steps = {"sriov": _CARDS, "endpoint": _ENDPOINT, "network": _CONNECTED, "attachments": _CONNECTED}
    return steps.get(_concern(change), _PREPARED)


def _concern(change: Change) -> str:
    """Return the concern under which something is made at an install."""
    if change.kind in ("binary", "chart", "cni_plugin", "image"):
        return "artifacts"
    if change.kind == "node":
        return "cluster"
    if change.kind in ("nic", "huge_pages"):
        return "sriov" if change.kind == "nic" else "tuning"
    return next((concern for word, concern in _CONCERNS if word in change.name), "host")
