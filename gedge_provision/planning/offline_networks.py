"""What an apply would change of virtual functions and secondary networks, from what is remembered. Pure.

Which cards a policy selects only its host knows. Those that were set before are remembered: with one policy they are
its cards, otherwise the policy is named. Whether pods have functions that change (a drain) is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gedge_provision.models.changes import Change
from gedge_provision.planning.offline_rdma import rdma_objects, shared_changes

__all__ = ["FILES", "OBJECTS", "attachment_changes", "attachment_files", "dhcp_changes", "sriov_changes"]

OBJECTS = {
    "multus": (
        "ClusterRole multus",
        "ClusterRoleBinding multus",
        "ConfigMap kube-system/multus-daemon-config",
        "CustomResourceDefinition network-attachment-definitions.k8s.cni.cncf.io",
        "DaemonSet kube-system/kube-multus-ds",
        "NetworkAttachmentDefinition kube-system/cbr0",
        "ServiceAccount kube-system/multus",
    ),
    "whereabouts": (
        "ClusterRole whereabouts",
        "ClusterRoleBinding whereabouts",
        "CustomResourceDefinition ippools.whereabouts.cni.cncf.io",
        "CustomResourceDefinition overlappingrangeipreservations.whereabouts.cni.cncf.io",
        "DaemonSet kube-system/whereabouts",
        "Role kube-system/whereabouts",
        "RoleBinding kube-system/whereabouts",
        "ServiceAccount kube-system/whereabouts",
    ),
}
"""What the roles of optional parts apply; a test holds it equal to their templates."""
FILES = {
    "multus": ("/etc/cni/net.d/00-multus.conf", "/etc/tmpfiles.d/gedge-cni.conf"),
    "whereabouts": ("/etc/cni/net.d/whereabouts.d/whereabouts.conf", "/etc/cni/net.d/whereabouts.d/nodename"),
}
"""What they write on each node."""
_DAEMONS = {
    "DaemonSet kube-system/kube-multus-ds": ("multus_image", "multus_api_endpoint"),
    "DaemonSet kube-system/whereabouts": ("whereabouts_image", "whereabouts_api_endpoint"),
    "DaemonSet kube-system/soft-rdma-device-plugin": ("soft_rdma_device_plugin_image",),
}
_PROGRAM, _UNIT = "/usr/local/sbin/gedge-sriov", "gedge-sriov.service"
_UNIT_FILE, _SETTINGS, _OFFERED = f"/etc/systemd/system/{_UNIT}", "/etc/gedge/sriov.json", "/etc/pcidp/config.json"
_DHCP_UNIT = "gedge-cni-dhcp.service"
_OF_FUNCTIONS = {"vlan": "vlan", "trust": "trust", "spoof_check": "spoofchk", "device_type": "driver"}
_OFFERING = ("nics", "resource", "device_type", "rdma")
_NOT_SET = ("name", "resource", "rdma")  # what the program of the boot is not told
Policies = Sequence[Mapping[str, Any]]


def sriov_changes(made: Sequence[Change], old: Policies, new: Policies) -> Iterator[Change]:
    """Yield what changes on a host whose policies differ, in the order of a run.

    Args:
        made: what was made on the host.
        old: its policies when it was applied last.
        new: its policies now.
    """
    if old == new:
        return
    yield from _cards(made, old, new)
    if not new:
        yield from (Change("file", path, "remove") for path in (_PROGRAM, _SETTINGS, _UNIT_FILE))
    elif not old:
        yield from (Change("file", path, "create") for path in (_PROGRAM, _SETTINGS, _UNIT_FILE))
    elif _without(old, _NOT_SET) != _without(new, _NOT_SET):
        yield Change("file", _SETTINGS, "change")
    offered = [any(policy.get("resource") for policy in policies) for policies in (old, new)]
    if offered != [False, False] and _only(old, _OFFERING) != _only(new, _OFFERING):
        yield Change("file", _OFFERED, "create" if not offered[0] else "change" if offered[1] else "remove")
    if not old:
        yield Change("unit", _UNIT, "enable")


def _cards(made: Sequence[Change], old: Policies, new: Policies) -> Iterator[Change]:
    known = sorted({change.name.split()[0] for change in made if change.kind == "nic"})
    before = {policy["name"]: policy for policy in old}
    for policy in new:
        former = before.get(policy["name"])
        if former == policy:
            continue
        same = former is not None and len(old) == len(new) == 1 and former["nics"] == policy["nics"]
        settings = list(_settings(former, policy)) if former else []
        if same:
            yield from (Change("nic", f"{address} {what}", "set") for address in known for what in settings)
        elif settings or former is None or former["nics"] != policy["nics"]:
            yield Change("nic", f"policy {policy['name']}", "set")
    gone = [name for name in before if name not in {policy["name"] for policy in new}]
    if gone and not new:
        yield from (Change("nic", address, "restore") for address in known)
    elif gone:
        yield from (Change("nic", f"policy {name}", "restore") for name in gone)


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is set on a card, in the words of the module `sriov`."""
    if new.get("mtu") and old.get("mtu") != new["mtu"]:
        yield f"mtu={new['mtu']}"
    if old["vfs"] != new["vfs"]:
        yield f"vfs={new['vfs']}"
        return
    for number in range(new["vfs"]):
        for key, word in _OF_FUNCTIONS.items():
            value = new.get(key)
            if old.get(key) != value and value is not None:
                yield f"vf {number} {word}={('off', 'on')[value] if isinstance(value, bool) else value}"


def _only(policies: Policies, keys: Sequence[str]) -> list[dict[str, Any]]:
    return [{key: policy.get(key) for key in keys} for policy in policies]


def _without(policies: Policies, keys: Sequence[str]) -> list[dict[str, Any]]:
    return [{key: value for key, value in policy.items() if key not in keys} for policy in policies]


def attachment_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what changes in the cluster, from the variables of the site then and now."""
    had, has = (_objects(variables) for variables in (old, new))
    yield from (_object(name, "create") for name in has if name not in had)
    for name, variables in _DAEMONS.items():
        if name in had and name in has and any(old.get(key) != new.get(key) for key in variables):
            yield _object(name, "change")
    image = "sriov_device_plugin_image"
    if old.get(image) != new.get(image):
        daemons = _device_plugins(new)
        yield from (_object(name, "change") for name in daemons if name in had and name.startswith("DaemonSet"))
    yield from shared_changes(old, new)
    yield from _definitions(old, new)
    # Definitions of networks go with their kind.
    gone = [name for name in had if name not in has]
    yield from (_object(name, "remove") for name in gone if not name.startswith("NetworkAttachmentDefinition"))


def _objects(variables: Mapping[str, Any]) -> list[str]:
    features = variables.get("gedge_features", [])
    found = [name for feature, names in OBJECTS.items() if feature in features for name in names]
    return found + _device_plugins(variables) + rdma_objects(variables)


def _device_plugins(variables: Mapping[str, Any]) -> list[str]:
    sources = variables.get("sriov_device_plugin_sources", [])
    names = {"site": "kube-sriov-device-plugin", "own": "kube-sriov-device-plugin-own"}
    found = [f"DaemonSet kube-system/{names[source]}" for source in sources]
    return [*found, "ServiceAccount kube-system/sriov-device-plugin"] if found else []


def _definitions(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    had, has = (
        {_title(manifest): manifest for manifest in variables.get("attachments_manifests", [])}
        for variables in (old, new)
    )
    for title, manifest in has.items():
        if had.get(title) != manifest:
            yield _object(title, "change" if title in had else "create")
    if "multus" in new.get("gedge_features", []):  # otherwise they go with their kind; namespaces stay
        yield from (_object(title, "remove") for title in had if title not in has and not title.startswith("Namespace"))


def _title(manifest: Mapping[str, Any]) -> str:
    metadata = manifest["metadata"]
    space = f"{metadata['namespace']}/" if "namespace" in metadata else ""
    return f"{manifest['kind']} {space}{metadata['name']}"


def _object(title: str, action: str) -> Change:
    kind, _, name = title.partition(" ")
    return Change(kind, name, action)


def attachment_files(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what changes on each node that is there already, from the variables of the site then and now."""
    had, has = (variables.get("gedge_features", []) for variables in (old, new))
    for feature, paths in FILES.items():
        if (feature in had) != (feature in has):
            action = "create" if feature in has else "remove"
            yield from (Change("file", path, action) for path in paths)


def dhcp_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Yield what changes of the DHCP daemon on a node, from its variables then and now.

    Whether pods still have addresses from it, so that it stays for a while, is not seen.
    """
    had, has = (bool(variables["host_prepare_dhcp"]) for variables in (old, new))
    if has and not had:
        yield Change("file", f"/etc/systemd/system/{_DHCP_UNIT}", "create")
        yield from (Change("unit", _DHCP_UNIT, action) for action in ("enable", "start"))
    elif had and not has:
        yield Change("unit", _DHCP_UNIT, "disable")
        yield Change("file", f"/etc/systemd/system/{_DHCP_UNIT}", "remove")
