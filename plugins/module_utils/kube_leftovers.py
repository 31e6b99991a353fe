"""What operators leave in a cluster when their release goes: definitions of kinds, labels and annotations of nodes.

Standard library only, Python 3.8 and later.
"""

from __future__ import annotations

import time

from .host_state import made
from .kube_client import NOT_FOUND, KubeError

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OURS = "gedge"  # field manager: the labels of the site file are the role nodes' to take back


def definitions(client, groups):
    """Return the definitions of kinds of some API groups, by name."""
    return {
        item["metadata"]["name"]: item for item in client.get(DEFINITIONS)["items"] if item["spec"]["group"] in groups
    }


def unused(client, found):
    """Return the names of the definitions that nobody has objects of."""
    return sorted(name for name, item in found.items() if not client.get(objects_of(item) + "?limit=1")["items"])


def objects_of(definition):
    """Return the path of a definition's objects."""
    spec = definition["spec"]
    version = next(one["name"] for one in spec["versions"] if one["storage"])
    return "/apis/%s/%s/%s" % (spec["group"], version, spec["names"]["plural"])


def notes(client, prefixes, managers):
    """Yield node, part (labels or annotations) and key of what an operator has noted at nodes; nothing of ours.

    Args:
        client: calls the API.
        prefixes: beginnings of keys that are the operator's.
        managers: field managers whose keys are all the operator's.
    """
    for node in client.get("/api/v1/nodes")["items"]:
        meta = node["metadata"]
        for part in ("labels", "annotations"):
            ours, theirs = owned(meta, part, [OURS]), owned(meta, part, managers)
            for key in sorted(meta.get(part, {})):
                if (key.startswith(tuple(prefixes)) or key in theirs) and key not in ours:
                    yield meta["name"], part, key


def owned(meta, part, managers):
    """Return the keys of labels or annotations that some field managers own."""
    entries = [entry["fieldsV1"] for entry in meta.get("managedFields", []) if entry["manager"] in managers]
    return {key[2:] for fields in entries for key in fields.get("f:metadata", {}).get("f:" + part, {})}


def clear(client, names, noted):
    """Delete definitions, and what is noted at nodes."""
    for name in names:
        client.delete("%s/%s" % (DEFINITIONS, name))
    by_node = {}
    for node, part, key in noted:
        by_node.setdefault(node, {}).setdefault(part, {})[key] = None
    for node, parts in by_node.items():
        client.patch("/api/v1/nodes/%s" % node, {"metadata": parts})


def described(names, noted):
    """Describe what `clear` removes."""
    objects = [made("CustomResourceDefinition", name, "remove") for name in names]
    return objects + [made(part[:-1], "%s %s" % (node, key), "remove") for node, part, key in noted]


def namespace_is_there(client, name):
    """Tell whether there is a namespace."""
    try:
        client.get("/api/v1/namespaces/%s" % name)
    except KubeError as error:
        if error.status == NOT_FOUND:
            return False
        raise
    return True


def delete_namespace(client, name, timeout_s):
    """Delete a namespace and wait until it is gone; return whether it is."""
    client.delete("/api/v1/namespaces/%s" % name)
    deadline = time.monotonic() + timeout_s
    while namespace_is_there(client, name):
        if time.monotonic() > deadline:
            return False
        time.sleep(1)
    return True
