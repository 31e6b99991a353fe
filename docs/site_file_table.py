"""Write the table of fields in docs/site-file.md from the model of the site file: python docs/site_file_table.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gedge_provision.models.schemas import DocumentKind, json_schema

PAGE = Path(__file__).with_name("site-file.md")
BEGIN, END = "<!-- fields: begin -->", "<!-- fields: end -->"

# Fields whose model has no description of its own.
MEANINGS = {
    "name": "Name of the site: its folder for run records, and the cluster's name.",
    "networks.services": "Range of service addresses.",
    "networks.dns_domain": "DNS domain of the cluster.",
    "ssh.user": "Who logs in.",
    "ssh.port": "Port of the SSH server.",
    "node_classes": "What nodes of one kind have in common, by name. The default is one class, `default`.",
    "node_classes.CLASS.labels": "Labels of the class's nodes.",
    "node_classes.CLASS.taints": "Taints of the class's nodes; others are removed, but for those of Kubernetes itself.",
    "node_classes.CLASS.taints[].key": "Key of the taint.",
    "node_classes.CLASS.taints[].value": "Value of the taint.",
    "node_classes.CLASS.taints[].effect": "What it does to pods that do not tolerate it.",
    "node_classes.CLASS.kubelet.kube_reserved": "Kept away from pods for Kubernetes' own daemons.",
    "node_classes.CLASS.kubelet.system_reserved": "Kept away from pods for the system's daemons.",
    "node_classes.CLASS.kubelet.topology_manager_policy": "How strictly CPUs and devices of a pod share a NUMA node.",
    "node_classes.CLASS.kubelet.topology_manager_scope": "Containers are aligned one by one, or a pod as a whole.",
    "node_classes.CLASS.kubelet.topology_manager_policy_options": "Options of the topology manager.",
    "node_classes.CLASS.kubelet.reserved_memory[].numa_node": "The NUMA node.",
    "node_classes.CLASS.kubelet.reserved_memory[].memory": "Memory that is reserved there.",
    "node_classes.CLASS.kubelet.max_pods": "Most pods on a node.",
    "rollout": "How changes that disturb pods go over the nodes: one node first, then batches.",
    "nodes": "The hosts. The first control-plane node in the list starts the cluster.",
    "nodes[].roles": "Without `worker`, a control-plane node is tainted so that no ordinary pod runs there.",
    "lab.base": "Debian release of the nodes.",
}


class Row(NamedTuple):
    """A field: its path, what it takes, its default and what it means."""

    path: str
    takes: str
    default: str
    meaning: str


def rows() -> list[Row]:
    """Return every field of the site file, in the order of the model."""
    schema = json_schema(DocumentKind.SITE)
    return list(_rows(schema, schema, ""))


def table() -> str:
    """Return the table in Markdown."""
    lines = ["| field | takes | default | meaning |", "|---|---|---|---|"]
    lines += [f"| `{row.path}` | {row.takes} | {row.default} | {row.meaning} |" for row in rows()]
    return "\n".join(lines)


def page(text: str) -> str:
    """Return the page's text with the current table."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _rows(node: dict[str, Any], schema: dict[str, Any], prefix: str) -> Iterator[Row]:
    required = node.get("required", [])
    for name, found in node["properties"].items():
        path = f"{prefix}{name}"
        field = _resolve(found, schema)
        meaning = MEANINGS.get(path) or found.get("description") or field.get("description", "")
        default = "**required**" if name in required else _default(field, found)
        yield Row(path, _takes(field, schema), default, " ".join(meaning.split()).replace("|", "\\|"))
        yield from _inner(field, schema, path)


def _inner(field: dict[str, Any], schema: dict[str, Any], path: str) -> Iterator[Row]:
    values = _values(field)
    lists = values.get("items") if values else None
    for inner, suffix in (
        (field, "."),
        (field.get("items"), "[]."),
        (values, ".CLASS."),
        (lists, ".CLASS[]."),
    ):
        if isinstance(inner, dict) and "properties" in _resolve(inner, schema):
            yield from _rows(_resolve(inner, schema), schema, f"{path}{suffix}")


def _values(field: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the values of a mapping with free keys are, None for one with fixed keys."""
    values = field.get("additionalProperties") or next(iter(field.get("patternProperties", {}).values()), None)
    return values if isinstance(values, dict) else None


def _resolve(field: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, and take the other half of `or null`."""
    if "anyOf" in field:
        options = [option for option in field["anyOf"] if option.get("type") != "null"]
        if len(options) == 1:
            return _resolve(options[0], schema)
    if "$ref" in field:
        return dict(schema["$defs"][field["$ref"].rsplit("/", 1)[-1]])
    return field


def _takes(field: dict[str, Any], schema: dict[str, Any]) -> str:  # noqa: PLR0911 - one line a kind
    field = _resolve(field, schema)
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_takes(option, schema) for option in field["anyOf"]))
    kind = field.get("type")
    if kind == "array":
        return f"list of {_takes(field['items'], schema)}"
    if kind == "object":
        values = _values(field)
        if values is None:
            return "mapping"
        keys = field.get("propertyNames", {}).get("enum")
        named = ", ".join(f"`{key}`" for key in keys) if keys else "any name"
        return f"{named}: {_takes(values, schema)}"
    if kind in {"integer", "number"}:
        low, high = field.get("minimum", field.get("exclusiveMinimum", "")), field.get("maximum", "")
        return f"number {low} to {high}" if high != "" else "number"
    formats = {"ipv4": "address", "ipv4network": "range (CIDR)"}
    return {"boolean": "`true`, `false`"}.get(str(kind), formats.get(field.get("format", ""), "text"))


def _default(field: dict[str, Any], found: dict[str, Any]) -> str:
    if "default" not in found or found["default"] in (None, {}, [], ""):
        return "" if "properties" not in field else "see below"
    return f"`{found['default'] if isinstance(found['default'], str) else json.dumps(found['default'])}`"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
