"""What of an OpenAPI document would break those who call by the former one.

    python docs/openapi_breaking.py OLD.json NEW.json

Prints a line for each break, and ends with 1 if there is one. A request that was right must stay right, and an answer
must keep what it had: nothing taken away, no other type, no null where there was none. What is added breaks nothing:
operations, optional parameters and keys, fields of answers, further errors, further values of an enumeration in
answers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = ["breaks"]

Node = dict[str, Any]
Way = Literal["request", "answer"]

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
# Of a request: which bounds may only be moved outwards, and to which side that is.
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


@dataclass(frozen=True)
class _Pair:
    """Two documents, and the pairs of references between them that are being compared."""

    old: Node
    new: Node
    under_way: set[tuple[str, str, Way]] = field(default_factory=set)


def breaks(old: Node, new: Node) -> list[str]:
    """Return what breaks, a line each; empty if nothing does.

    Args:
        old: the document that clients know.
        new: the one that is to take its place.
    """
    pair = _Pair(old, new)
    return list(dict.fromkeys(_paths(pair)))


def _paths(pair: _Pair) -> Iterator[str]:
    for path, operations in pair.old["paths"].items():
        for method in _METHODS:
            if method not in operations:
                continue
            place = f"{method.upper()} {path}"
            other = pair.new["paths"].get(path, {}).get(method)
            if other is None:
                yield f"{place}: the operation is gone"
            else:
                yield from _operation(pair, place, operations[method], other)


def _operation(pair: _Pair, place: str, old: Node, new: Node) -> Iterator[str]:
    if old.get("operationId") != new.get("operationId"):
        yield f"{place}: operationId was {old.get('operationId')}, and is {new.get('operationId')}"
    if new.get("security") and not old.get("security"):
        yield f"{place}: it now asks who the caller is"
    yield from _parameters(pair, place, old, new)
    yield from _request_body(pair, place, old, new)
    yield from _answers(pair, place, old, new)


def _parameters(pair: _Pair, place: str, old: Node, new: Node) -> Iterator[str]:
    before, now = (
        {
            (one["in"], one["name"]): one
            for one in (_resolved(document, entry) for entry in operation.get("parameters", ()))
        }
        for document, operation in ((pair.old, old), (pair.new, new))
    )
    for key, one in before.items():
        name = f"{place}: {key[0]} parameter {key[1]}"
        if key not in now:
            yield f"{name} is gone"
            continue
        if now[key].get("required") and not one.get("required"):
            yield f"{name} is required now"
        yield from _schemas(pair, name, one.get("schema", {}), now[key].get("schema", {}), "request")
    for key, one in now.items():
        if key not in before and one.get("required"):
            yield f"{place}: {key[0]} parameter {key[1]} is new and required"


def _request_body(pair: _Pair, place: str, old: Node, new: Node) -> Iterator[str]:
    before, now = _resolved(pair.old, old.get("requestBody", {})), _resolved(pair.new, new.get("requestBody", {}))
    if before and not now:
        yield f"{place}: the request body is gone"
    if now.get("required") and not before.get("required"):
        yield f"{place}: a request body is required now"
    if before and now:
        yield from _contents(pair, f"{place}: request", before, now, "request")


def _answers(pair: _Pair, place: str, old: Node, new: Node) -> Iterator[str]:
    for status, entry in old.get("responses", {}).items():
        if status not in new.get("responses", {}):
            yield f"{place}: status {status} is gone"
            continue
        before, now = _resolved(pair.old, entry), _resolved(pair.new, new["responses"][status])
        yield from _contents(pair, f"{place}: answer {status}", before, now, "answer")
        for name in before.get("headers", {}):
            if name not in now.get("headers", {}):
                yield f"{place}: answer {status}: header {name} is gone"


def _contents(pair: _Pair, place: str, old: Node, new: Node, way: Way) -> Iterator[str]:
    for media_type, content in old.get("content", {}).items():
        if media_type not in new.get("content", {}):
            yield f"{place}: {media_type} is gone"
        else:
            yield from _schemas(
                pair, place, content.get("schema", {}), new["content"][media_type].get("schema", {}), way
            )


def _schemas(pair: _Pair, place: str, old: Node, new: Node, way: Way) -> Iterator[str]:
    """Compare what may stand at a place: a request's former kinds must still be taken, an answer may have no other."""
    key = (str(old.get("$ref", "")), str(new.get("$ref", "")), way)
    if all(key[:2]):
        if key in pair.under_way:
            return
        pair.under_way.add(key)
    before, now = _kinds(pair.old, old), _kinds(pair.new, new)
    if way == "answer":
        yield from _each_is_known(pair, place, now, before, way)
    else:
        yield from _each_is_known(pair, place, before, now, way)
    pair.under_way.discard(key)


def _each_is_known(pair: _Pair, place: str, wanted: list[Node], known: list[Node], way: Way) -> Iterator[str]:
    """Yield what keeps each of some kinds from being one of others."""
    for one in wanted:
        found: list[list[str]] = []
        for other in known:
            old, new = (other, one) if way == "answer" else (one, other)
            found.append(list(_kind(pair, place, old, new, way)))
        yield from min(found, key=len, default=[f"{place}: {_told(one)} is {'new' if way == 'answer' else 'gone'}"])


def _kind(pair: _Pair, place: str, old: Node, new: Node, way: Way) -> Iterator[str]:
    if old.get("type") != new.get("type") and not _widens(old, new, way):
        yield f"{place}: was {_told(old)}, and is {_told(new)}"
        return
    if way == "request":
        yield from _bounds(place, old, new)
    yield from _values(place, old, new, way)
    yield from _properties(pair, place, old, new, way)
    if isinstance(old.get("items"), dict):
        yield from _schemas(pair, f"{place}[]", old["items"], new.get("items", {}), way)
    if isinstance(old.get("additionalProperties"), dict) and isinstance(new.get("additionalProperties"), dict):
        yield from _schemas(pair, f"{place}.*", old["additionalProperties"], new["additionalProperties"], way)


def _widens(old: Node, new: Node, way: Way) -> bool:
    """Tell whether another type is one that takes, or is, all of the former: number and integer, anything at all."""
    narrow, wide = (old, new) if way == "request" else (new, old)
    return ("type" not in wide and not wide.get("enum")) or (narrow.get("type"), wide.get("type")) == (
        "integer",
        "number",
    )


def _bounds(place: str, old: Node, new: Node) -> Iterator[str]:
    for words, further in ((_LOWER, lambda was, now: now <= was), (_UPPER, lambda was, now: now >= was)):
        for word in words:
            if word in new and not (word in old and further(old[word], new[word])):
                yield f"{place}: {word} was {old.get(word, 'not set')}, and is {new[word]}"
    for word in ("pattern", "format", "multipleOf"):
        if word in new and new[word] != old.get(word):
            yield f"{place}: {word} was {old.get(word, 'not set')}, and is {new[word]}"


def _values(place: str, old: Node, new: Node, way: Way) -> Iterator[str]:
    before, now = _allowed(old), _allowed(new)
    if way == "request" and now is not None:
        gone = ["any other value"] if before is None else [str(one) for one in before if one not in now]
        if gone:
            yield f"{place}: {', '.join(gone)} is not taken any more"
    if way == "answer" and before is not None and now is None:
        yield f"{place}: was one of {', '.join(map(str, before))}, and is any value"


def _properties(pair: _Pair, place: str, old: Node, new: Node, way: Way) -> Iterator[str]:
    before, now = old.get("properties", {}), new.get("properties", {})
    for name, schema in before.items():
        if name in now:
            yield from _schemas(pair, f"{place}.{name}", schema, now[name], way)
        elif way == "answer" or new.get("additionalProperties") is False:
            yield f"{place}.{name} is gone"
    required, required_now = set(old.get("required", ())), set(new.get("required", ()))
    if way == "request":
        yield from (f"{place}.{name} is required now" for name in sorted(required_now - required))
        if new.get("additionalProperties") is False and old.get("additionalProperties", True) is not False:
            yield f"{place}: other keys are not taken any more"
    else:
        yield from (
            f"{place}.{name} need not be there any more" for name in sorted((required - required_now) & now.keys())
        )


def _kinds(document: Node, schema: Node) -> list[Node]:
    """Return the kinds of value that a schema allows, without references; what stands beside a union is in each."""
    schema = _resolved(document, schema)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            beside = {key: value for key, value in schema.items() if key != union}
            return [{**beside, **kind} for member in schema[union] for kind in _kinds(document, member)]
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": one} for one in schema["type"]]
    return [schema]


def _resolved(document: Node, node: Node) -> Node:
    while "$ref" in node:
        found: Any = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key.replace("~1", "/").replace("~0", "~")]
        node = {**found, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def _allowed(schema: Node) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _told(schema: Node) -> str:
    allowed = _allowed(schema)
    if allowed is not None:
        return f"one of {', '.join(map(str, allowed))}"
    return str(schema.get("type", "any value"))


if __name__ == "__main__":
    found = breaks(*(json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:3]))
    print(*found, sep="\n", end="\n" if found else "")  # noqa: T201
    sys.exit(1 if found else 0)
