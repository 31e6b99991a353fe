"""YAML and JSON documents with places: every complaint names file:line, the field's path and a remedy.

JSON is read as YAML (of which it is a subset), so that both give line numbers.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gedge_provision.models.errors import DocumentError, Finding

__all__ = ["Problem", "Source", "parse_yaml", "validate"]

M = TypeVar("M", bound=BaseModel)
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """What a check across fields found: the path of the field, what is wrong, what to do."""

    path: Path
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Source:
    """A parsed document: plain data, and the line (from 1) of every path in it."""

    name: str
    data: Any
    lines: Mapping[Path, int]

    def place(self, path: Path) -> str:
        """Return file:line of a path, or of its nearest parent that stands in the document."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}:{self.lines.get(path, 1)}"


def parse_yaml(text: str, name: str) -> Source:
    """Parse one YAML or JSON document.

    Raises:
        DocumentError: it is no YAML, it is empty, it has several documents, or a key stands twice.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        message = error.problem or "not readable"
        raise DocumentError(
            [Finding(place, "", f"not valid YAML: {message}", "mend the indentation or quoting here")]
        ) from error
    except yaml.YAMLError as error:
        raise DocumentError([Finding(f"{name}:1", "", f"not valid YAML: {error}")]) from error
    if root is None:
        raise DocumentError([Finding(f"{name}:1", "", "the document is empty")])
    lines: dict[Path, int] = {}
    findings: list[Finding] = []
    _walk(root, (), name, lines, findings)
    if findings:
        raise DocumentError(findings)
    loader = yaml.SafeLoader("")
    try:
        data = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise DocumentError([Finding(f"{name}:{mark.line + 1 if mark else 1}", "", str(error.problem))]) from error
    finally:
        loader.dispose()
    return Source(name, data, lines)


def validate(
    source: Source, model: type[M], checks: Callable[[M], Iterable[Problem]] = lambda _: (), root: Path = ()
) -> M:
    """Validate a document against a model, then by checks across its fields.

    Args:
        source: the parsed document.
        model: the pydantic model.
        checks: finds problems that one field alone cannot show.
        root: the path of the part to validate, () for the whole document.

    Raises:
        DocumentError: with every finding.
    """
    data = source.data
    for key in root:
        data = data[key]
    try:
        document = model.model_validate(data)
    except ValidationError as error:
        schema = model.model_json_schema(by_alias=True)
        raise DocumentError(
            sorted({_finding(source, root, details, data, schema) for details in error.errors()})
        ) from error
    problems = list(checks(document))
    if problems:
        raise DocumentError(
            [Finding(source.place(root + p.path), _dotted(p.path), p.message, p.remedy) for p in problems]
        )
    return document


def _walk(node: yaml.Node, path: Path, name: str, lines: dict[Path, int], findings: list[Finding]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            text = str(key.value)
            line = key.start_mark.line + 1
            if text in seen:
                findings.append(Finding(f"{name}:{line}", _dotted((*path, text)), "this key stands twice", "keep one"))
            seen.add(text)
            lines[(*path, text)] = line
            _walk(value, (*path, text), name, lines, findings)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*path, index), name, lines, findings)


def _dotted(path: Path) -> str:
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text


def _finding(source: Source, root: Path, details: ErrorDetails, data: Any, schema: dict[str, Any]) -> Finding:  # noqa: ANN401
    # pydantic puts the names of union members and of dict keys into loc: keep what stands in the document.
    loc = details["loc"]
    path = _existing(data, loc)
    kind = details["type"]
    message = details["msg"].removeprefix("Value error, ")
    remedy = ""
    if kind == "extra_forbidden":
        known = _known_keys(schema, loc[:-1])
        close = difflib.get_close_matches(str(loc[-1]), known, n=1)
        message = "unknown key"
        remedy = f"did you mean {close[0]!r}?" if close else f"known keys here: {', '.join(sorted(known))}"
    elif kind == "missing":
        path = (*_existing(data, loc[:-1]), loc[-1])
        message, remedy = "a required key is missing", f"add {loc[-1]!r}"
    elif " -> " in message:
        message, _, remedy = message.partition(" -> ")
    elif not isinstance(details.get("input"), (dict, list)):
        message = f"{message} (is {details.get('input')!r})"
    return Finding(source.place(root + path), _dotted(path), message, remedy)


def _existing(data: Any, loc: Path) -> Path:  # noqa: ANN401
    path: Path = ()
    for key in loc:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            continue
        path = (*path, key)
    return path


def _known_keys(schema: dict[str, Any], loc: Path) -> list[str]:
    """Return the keys that the schema knows at a place; walks $ref, items, anyOf and additionalProperties."""
    nodes = [schema]
    for key in loc:
        following: list[dict[str, Any]] = []
        for node in _expand(nodes, schema):
            if isinstance(key, int):
                following += [node["items"]] if isinstance(node.get("items"), dict) else []
            elif key in node.get("properties", {}):
                following.append(node["properties"][key])
            elif isinstance(node.get("additionalProperties"), dict):
                following.append(node["additionalProperties"])
        nodes = following or nodes
    return [name for node in _expand(nodes, schema) for name in node.get("properties", {})]


def _expand(nodes: list[dict[str, Any]], schema: dict[str, Any]) -> list[dict[str, Any]]:
    expanded: list[dict[str, Any]] = []
    for node in nodes:
        target = node
        if "$ref" in node:
            target = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        expanded.append(target)
        for union in ("anyOf", "oneOf", "allOf"):
            if union in target:
                expanded += _expand(target[union], schema)
    return expanded
