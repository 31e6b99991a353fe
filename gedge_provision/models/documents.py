"""YAML and JSON documents with places: every complaint names file:line, the field's path and a remedy.

JSON is read as YAML (of which it is a subset), so that both give line numbers.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gedge_provision.models.errors import DocumentError, Finding
from gedge_provision.models.wording import in_plain_words

__all__ = ["Path", "Problem", "Source", "parse_yaml", "validate"]

_MOST_VALUES = 100_000  # aliases can unfold a small file to any size
_MOST_ERRORS = 1000  # each is worded, and looked for in the document
_DEEPEST = 64  # libyaml's composer and ours recurse: some ten thousand levels end the process
_LONG = 64 * 1024  # PyYAML's own parser takes seconds for more
_MOST_DIGITS = 4000  # Python refuses to read more than 4300
_NO_KEY = ("a list or mapping cannot be a key", "write plain text before the colon")
_YAML_PROBLEMS = (
    (r"'\t'", "a tab stands where YAML wants spaces", "indent by spaces"),
    ("found another document", "a second document begins here", "keep one document, remove the line ---"),
    ("undefined alias", "no anchor of this name stands before", "write the value itself"),
    ("determine a constructor", "a YAML tag (!...) asks for a kind of value that documents do not have", "remove it"),
    ("unhashable key", *_NO_KEY),
)
"""What a person meets often: part of PyYAML's words, ours, what to do."""

M = TypeVar("M", bound=BaseModel)
Path: TypeAlias = tuple[str | int, ...]


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


def parse_yaml(text: str, name: str, most: int = 2 * _MOST_VALUES) -> Source:
    """Parse one YAML or JSON document.

    Args:
        text: the document.
        name: of the file, for places.
        most: so many keys and values it may have.

    Raises:
        DocumentError: it is no YAML, it is empty or too large, it has several documents, or a key stands twice.
    """
    try:
        root = _composed(text, name, most)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, name) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        finding = Finding(f"{name}:{line}", "", "a control character stands here", "remove it")
        raise DocumentError([finding]) from error
    except RecursionError as error:
        raise _too_deep(f"{name}:1") from error
    if root is None:
        raise DocumentError(
            [
                Finding(
                    f"{name}:1",
                    "",
                    "the document is empty",
                    "the examples in inventories/ and examples/ show what stands in one",
                )
            ]
        )
    lines: dict[Path, int] = {}
    findings: list[Finding] = []
    _walk(root, (), name, lines, findings)
    if findings:
        raise DocumentError(findings)
    loader = yaml.SafeLoader("")
    try:
        data = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, name) from error
    except ValueError as error:  # 2026-13-45 looks like a date to YAML
        finding = Finding(f"{name}:1", "", f"a value cannot be read: {error}", "put it in quotes")
        raise DocumentError([finding]) from error
    finally:
        loader.dispose()
    return Source(name, data, lines)


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def _composed(text: str, name: str, most: int) -> yaml.Node | None:
    """Return the nodes of a document: by libyaml where it can, ten times quicker; errors are worded by the other."""
    quick = getattr(yaml, "CSafeLoader", None)
    if quick is not None:
        try:
            _check_size(yaml.parse(text, Loader=quick), name, most)
            return yaml.compose(text, Loader=quick)
        except yaml.YAMLError:
            if len(text) > _LONG:
                raise
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _check_size(events: Iterable[yaml.Event], name: str, most: int) -> None:
    depth = values = 0
    for event in events:
        values += isinstance(event, yaml.NodeEvent)
        if values > most:
            finding = Finding(f"{name}:1", "", f"it has more than {most} keys and values", "divide the document")
            raise DocumentError([finding])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise _too_deep(f"{name}:{event.start_mark.line + 1 if event.start_mark else 1}")


def _too_deep(place: str) -> DocumentError:
    return DocumentError([Finding(place, "", "the values are nested too deeply", "use fewer levels")])


def _not_yaml(error: yaml.MarkedYAMLError, name: str) -> DocumentError:
    mark = error.problem_mark or error.context_mark
    place = f"{name}:{mark.line + 1}" if mark else name
    problem = error.problem or "not readable"
    for sign, message, remedy in _YAML_PROBLEMS:
        if sign in problem:
            return DocumentError([Finding(place, "", message, remedy)])
    return DocumentError([Finding(place, "", f"not valid YAML: {problem}", "mend the indentation or quoting here")])


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
        errors = error.errors(include_url=False)[:_MOST_ERRORS]
        raise DocumentError(_findings(source, root, errors, data, _schema(model))) from error
    problems = list(checks(document))
    if problems:
        raise DocumentError(
            [Finding(source.place(root + p.path), _dotted(p.path), p.message, p.remedy) for p in problems]
        )
    return document


def _walk(  # noqa: PLR0913, PLR0917 - what the recursion carries
    node: yaml.Node,
    path: Path,
    name: str,
    lines: dict[Path, int],
    findings: list[Finding],
    parents: tuple[yaml.Node, ...] = (),
) -> None:
    """Note the line of every value, and keys that stand twice."""
    lines.setdefault(path, node.start_mark.line + 1)
    if node in parents or len(lines) > _MOST_VALUES:
        finding = Finding(
            f"{name}:{node.start_mark.line + 1}",
            "",
            "aliases (*NAME) unfold without end",
            "write the values themselves",
        )
        raise DocumentError([finding])
    if len(parents) > _DEEPEST:
        raise _too_deep(f"{name}:{node.start_mark.line + 1}")
    parents = (*parents, node)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                findings.append(Finding(f"{name}:{line}", _dotted(path), *_NO_KEY))
                continue
            text = str(key.value)
            if text in seen:  # not looked into: aliases under one key would be gone through without end
                findings.append(Finding(f"{name}:{line}", _dotted((*path, text)), "this key stands twice", "keep one"))
                continue
            seen.add(text)
            lines[(*path, text)] = line
            _walk(value, (*path, text), name, lines, findings, parents)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*path, index), name, lines, findings, parents)
    elif node.tag == "tag:yaml.org,2002:int" and len(node.value) > _MOST_DIGITS:
        finding = Finding(
            f"{name}:{node.start_mark.line + 1}",
            _dotted(path),
            f"a number of {len(node.value)} digits stands here",
            "write a smaller one",
        )
        findings.append(finding)


def _dotted(path: Path) -> str:
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text


def _findings(
    source: Source,
    root: Path,
    errors: list[ErrorDetails],
    data: Any,  # noqa: ANN401 - YAML data
    schema: dict[str, Any],
) -> list[Finding]:
    """Return one finding a place: a union reports every member, a misspelled key also the one that is now missing."""
    missing = {details["loc"] for details in errors if details["type"] == "missing"}
    meant: set[Path] = set()
    found: dict[Path, Finding] = {}
    for details in errors:
        loc = details["loc"]
        # pydantic puts the names of union members and of dict keys into loc: keep what stands in the document.
        path = _existing(data, loc)
        if details["type"] == "missing":
            path = (*_existing(data, loc[:-1]), loc[-1])
            message, remedy = "a required key is missing", f"add {loc[-1]!r}"
        elif details["type"] == "extra_forbidden":
            message, remedy, close = _unknown_key(loc, schema)
            if (*loc[:-1], close) in missing:
                meant.add((*path[:-1], close))
        elif details["type"] == "invalid_key":
            path = (*path[:-1], str(loc[-1])) if loc[-1] in path[-1:] else (*path, str(loc[-1]))
            key = "null" if details["input"] is None else loc[-1]
            message, remedy = f"the key {key} is no text", "put it in quotes, or remove it"
        elif details["type"] == "too_short" and details["input"]:
            continue  # its members are wrong, and have their own findings
        else:
            message, remedy = in_plain_words(details)
        finding = Finding(source.place(root + path), _dotted(path), message, remedy)
        former = found.get(path)
        if former and former.message != message:
            finding = replace(former, message=f"{former.message}; or {message}", remedy=f"{former.remedy}; or {remedy}")
        found[path] = finding
    return sorted((finding for path, finding in found.items() if path not in meant), key=_by_line)


def _by_line(finding: Finding) -> tuple[int, str]:
    return int(finding.place.rpartition(":")[2]), finding.path


def _unknown_key(loc: Path, schema: dict[str, Any]) -> tuple[str, str, str]:
    known = _known_keys(schema, loc[:-1])
    close = difflib.get_close_matches(str(loc[-1]), known, n=1)
    remedy = f"did you mean {close[0]!r}?" if close else f"known keys here: {', '.join(sorted(known))}"
    return "unknown key", remedy, close[0] if close else ""


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
    """Return the keys that the schema knows at a place; walks $ref, items, anyOf and the values of dicts."""
    nodes = [schema]
    for key in loc:
        following: list[dict[str, Any]] = []
        for node in _expand(nodes, schema):
            if isinstance(key, int):
                following += [node["items"]] if isinstance(node.get("items"), dict) else []
            elif key in node.get("properties", {}):
                following.append(node["properties"][key])
            else:
                values = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
                following += [value for value in values if isinstance(value, dict)]
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
