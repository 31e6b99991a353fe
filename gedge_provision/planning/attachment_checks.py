"""What must hold across the attachments of a site file, beyond what each field shows alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gedge_provision.models.attachments import Attachment, Bandwidth
from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.site import Site
from gedge_provision.planning.attachments import holders
from gedge_provision.planning.ipam_checks import check_addresses, check_ranges

__all__ = ["check_attachments"]

_FIELDS = {
    "sriov": {
        "resource",
        "vlan",
        "vlan_qos",
        "trust",
        "spoof_check",
        "link_state",
        "min_tx_rate",
        "max_tx_rate",
        "rdma",
    },
    "macvlan": {"master", "mode", "mtu", "bandwidth", "rdma"},
    "ipvlan": {"master", "mode", "mtu", "bandwidth"},
    "bridge": {"bridge", "vlan", "mtu", "bandwidth", "rdma"},
    "host-device": {"device", "resource", "bandwidth", "rdma"},
}
"""Fields that a plugin takes, beside those that all take."""
_COMMON = {"name", "namespace", "type", "node_classes", "ipam", "sysctls"}
_REQUIRED = {"sriov": "resource", "macvlan": "master", "ipvlan": "master", "bridge": "bridge"}
_MODES = {"macvlan": ("bridge", "private", "vepa", "passthru"), "ipvlan": ("l2", "l3", "l3s")}
_MOST = {"rate": 10**15, "burst": 8 * (2**32 - 1) - 1}
"""Of bandwidth: faster than any card; what the plugin bandwidth takes ("burst cannot be more than 4GB")."""
_OUR_NAMESPACES = ("gedge-perf", "gedge-verify")


def check_attachments(site: Site) -> Iterator[Problem]:
    """Yield everything that is wrong with attachments whose fields are valid one by one."""
    seen: dict[tuple[str, str], int] = {}
    for index, attachment in enumerate(site.networks.attachments):
        path: Path = ("networks", "attachments", index)
        key = attachment.namespace, attachment.name
        if key in seen:
            yield Problem(
                (*path, "name"),
                f"{attachment.namespace}/{attachment.name} stands at attachments[{seen[key]}] already",
                "give every attachment of a namespace its own name",
            )
        seen.setdefault(key, index)
        yield from _fields(path, attachment)
        yield from _values(site, path, attachment)
        yield from _interface(site, path, attachment)
        yield from _moved(site, path, attachment)
        yield from _offered(site, path, attachment)
        yield from check_addresses(site, path, attachment)
    yield from check_ranges(site)


def _fields(path: Path, one: Attachment) -> Iterator[Problem]:
    for field in sorted(one.model_fields_set - _COMMON - _FIELDS[one.type]):
        if getattr(one, field) not in (None, False):
            takers = sorted(kind for kind, fields in _FIELDS.items() if field in fields)
            yield Problem(
                (*path, field), f"{one.type} does not take {field}", f"remove it; it is for {', '.join(takers)}"
            )
    required = _REQUIRED.get(one.type)
    if required and getattr(one, required) is None:
        yield Problem(path, f"{one.type} needs {required}", f"add {required}")
    if one.type == "host-device" and (one.device is None) == (one.resource is None):
        yield Problem(path, "host-device needs a device or a resource, not both", "name one of them")
    if one.mode is not None and one.type in _MODES and one.mode not in _MODES[one.type]:
        yield Problem(
            (*path, "mode"), f"{one.type} has no mode {one.mode!r}", f"use one of {', '.join(_MODES[one.type])}"
        )


def _values(site: Site, path: Path, one: Attachment) -> Iterator[Problem]:
    if one.vlan_qos is not None and one.vlan is None:
        yield Problem((*path, "vlan_qos"), "a priority needs a VLAN", "add vlan")
    if one.min_tx_rate and one.max_tx_rate and one.min_tx_rate > one.max_tx_rate:
        yield Problem(
            (*path, "min_tx_rate"), f"{one.min_tx_rate} is more than max_tx_rate {one.max_tx_rate}", "exchange them"
        )
    if one.namespace in _OUR_NAMESPACES:
        yield Problem(
            (*path, "namespace"), f"{one.namespace} is made and removed by gedge's own measurements", "use another"
        )
    if "node_classes" in one.model_fields_set and not one.node_classes:
        yield Problem((*path, "node_classes"), "the list is empty", "name classes, or remove the key for all of them")
    used = {node.node_class for node in site.nodes}
    if one.node_classes and used.issuperset(one.node_classes) and not holders(site, one):
        yield Problem(
            (*path, "node_classes"),
            f"no worker is of class {', '.join(one.node_classes)}, and secondary networks are for pods of workers",
            "name a class of workers, or give a node of the class the role worker",
        )
    for index, name in enumerate(one.node_classes):
        if name not in site.node_classes:
            yield Problem(
                (*path, "node_classes", index),
                f"no node class {name!r}",
                f"use one of {', '.join(sorted(site.node_classes))}",
            )
    if one.bandwidth is not None:
        yield from _bandwidth((*path, "bandwidth"), one.bandwidth)


def _bandwidth(path: Path, limits: Bandwidth) -> Iterator[Problem]:
    if not limits.model_dump(exclude_none=True):
        yield Problem(path, "it limits nothing", "give a rate and its burst, or remove it")
    for way in ("ingress", "egress"):
        for kind, most in _MOST.items():
            value = getattr(limits, f"{way}_{kind}")
            if value is not None and value > most:
                yield Problem((*path, f"{way}_{kind}"), f"{value} is out of range", f"use a number up to {most}")
        if (getattr(limits, f"{way}_rate") is None) != (getattr(limits, f"{way}_burst") is None):
            yield Problem(path, f"{way}_rate and {way}_burst need each other", "give both")


def _interface(site: Site, path: Path, one: Attachment) -> Iterator[Problem]:
    ours = {
        "lo": "is the loopback interface",
        "cni0": "is the bridge of the pod network itself",
        f"flannel.{site.networks.flannel.vni}": "carries the pod network itself",
    }
    for field in ("master", "device", "bridge"):
        name = getattr(one, field)
        if name in ours:
            yield Problem((*path, field), f"{name} {ours[name]}", "use another name")


def _moved(site: Site, path: Path, one: Attachment) -> Iterator[Problem]:
    """Yield who else works with an interface that moves into a pod."""
    if one.type != "host-device" or one.device is None:
        return
    nodes = set(holders(site, one))
    users = [
        f"attachments[{index}] ({other.name})"
        for index, other in enumerate(site.networks.attachments)
        if other.master == one.device and nodes & set(holders(site, other))
    ]
    for name in sorted({node.node_class for node in site.nodes if node.name in nodes} & set(site.node_classes)):
        node_class = site.node_classes[name]
        users += [f"policy {each.name}" for each in node_class.sriov if one.device in each.nics.interfaces]
        users += [f"{each.resource}" for each in node_class.shared_rdma if one.device in each.nics.interfaces]
    if users:
        yield Problem(
            (*path, "device"),
            f"{one.device} would move into a pod, and {users[0]} is on it",
            "use another interface, or narrow one of both by node_classes",
        )


def _offered(site: Site, path: Path, one: Attachment) -> Iterator[Problem]:
    policies = [policy for node_class in site.node_classes.values() for policy in node_class.sriov]
    offered = sorted({policy.resource for policy in policies if policy.resource})
    own = bool(policies) and not offered
    if one.type == "sriov" and one.resource and one.resource not in offered and not own:
        yield Problem(
            (*path, "resource"),
            f"no SR-IOV policy offers {one.resource}",
            f"use one of {', '.join(offered)}" if offered else "add a policy with it to a node class (sriov)",
        )
        return
    for index, name in enumerate(one.node_classes if one.type == "sriov" else ()):
        mine = site.node_classes[name].sriov if name in site.node_classes else policies
        if not any(policy.resource in {one.resource, None} for policy in mine):
            yield Problem(
                (*path, "node_classes", index),
                f"no policy of class {name} offers {one.resource}",
                "take the class out, or add a policy to it",
            )
