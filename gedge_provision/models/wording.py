"""What is wrong with a value, in plain words: pydantic's kinds of error, and text that must have a form."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, core_schema

__all__ = ["Form", "counted", "in_plain_words", "shown"]

Words = tuple[str, str]
"""What is wrong, and what to do."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: 1 host, 2 hosts."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_MOST_SHOWN = 70


def shown(value: object) -> str:
    """Return a value as a message quotes it: text in quotes, a long one cut."""
    text = str(value)
    cut = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
    return repr(cut) if isinstance(value, str) else cut


@dataclass(frozen=True)
class Form:
    """Annotates text that must have a form, so that another form is refused in words.

    Attributes:
        pattern: regular expression for the whole text; the JSON Schema shows it.
        noun: what the text is, for "X is no NOUN".
        remedy: how to write it.
    """

    pattern: str
    noun: str
    remedy: str

    def __get_pydantic_core_schema__(self, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Look at the value before its type is, so that 1.36 (a number to YAML) gets the same answer as text."""
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Show the pattern."""
        return {**handler(schema), "pattern": f"^{self.pattern}$"}

    def _check(self, value: object) -> object:
        if value is not None and not (isinstance(value, str) and re.fullmatch(self.pattern, value)):
            raise ValueError(f"{shown(value)} is no {self.noun} -> {self.remedy}")
        return value


def in_plain_words(details: ErrorDetails) -> Words:
    """Return message and remedy of one error of pydantic's; its own English only for kinds that no document meets."""
    kind, value = details["type"], details.get("input")
    if kind == "value_error":
        message, _, remedy = details["msg"].removeprefix("Value error, ").partition(" -> ")
        return message, remedy
    if value is None:
        return "the key has no value", "give it one, or remove the key"
    known = _WORDS.get(kind)
    return known(details.get("ctx", {}), value) if known else (details["msg"], "")


def _choice(ctx: Mapping[str, Any], value: Any) -> Words:  # noqa: ANN401 - whatever stands in the document
    allowed = re.findall(r"'([^']+)'", str(ctx["expected"]))
    close = difflib.get_close_matches(str(value), allowed, n=1)
    listed = f"use one of {', '.join(allowed)}"
    return f"{value!r} is not possible here", f"did you mean {close[0]!r}? ({listed})" if close else listed


def _network(_ctx: Mapping[str, Any], value: Any) -> Words:  # noqa: ANN401
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        return f"{value!r} is no IPv4 range", "write it like 10.244.0.0/16"
    if network.version != 4:  # noqa: PLR2004
        return f"{value} is an IPv6 range; only IPv4 is supported", "use an IPv4 range, like 10.244.0.0/16"
    return f"{value} names an address inside the range, not the range", f"write {network}"


def _address(_ctx: Mapping[str, Any], value: Any) -> Words:  # noqa: ANN401
    try:
        ip_address(value)
    except ValueError:
        remedy = (
            "write it without the /prefix" if "/" in str(value) else "write four numbers up to 255, like 192.168.40.21"
        )
        return f"{value!r} is no IPv4 address", remedy
    return f"{value} is an IPv6 address; only IPv4 is supported", "use an IPv4 address"


def _kind(wanted: str, remedy: str) -> Callable[[Mapping[str, Any], Any], Words]:
    return lambda _ctx, value: (f"must be {wanted}, is {_described(value)}", remedy)


def _described(value: object) -> str:
    if isinstance(value, dict):
        return "keys with values"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, str):
        return f"the text {value!r}" if value else "empty text"
    return str(value).lower() if isinstance(value, bool) else f"the {type(value).__name__} {value}"


def _bound(word: str, key: str) -> Callable[[Mapping[str, Any], Any], Words]:
    return lambda ctx, value: (f"{value} is out of range", f"use a number {word} {ctx[key]}")


_TEXT = _kind("text", "write one value here, in quotes if it looks like a number, date or true/false")
_NUMBER = _kind("a whole number", "write digits only")
_SWITCH = _kind("true or false", "write true or false")
_LIST = _kind("a list", "write [ONE, OTHER], or one line for each that begins with '- '")
_KEYS = _kind(
    "keys with values", "write KEY: VALUE here, one line each; the examples in inventories/ and examples/ show it"
)

_WORDS: Mapping[str, Callable[[Mapping[str, Any], Any], Words]] = {
    "string_type": _TEXT,
    "int_type": _NUMBER,
    "int_parsing": _NUMBER,
    "int_parsing_size": _NUMBER,
    "int_from_float": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _SWITCH,
    "bool_parsing": _SWITCH,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "dict_type": _KEYS,
    "model_type": _KEYS,
    "model_attributes_type": _KEYS,
    "literal_error": _choice,
    "enum": _choice,
    "ip_v4_address": _address,
    "ip_v4_network": _network,
    "greater_than": _bound("above", "gt"),
    "greater_than_equal": _bound("from", "ge"),
    "less_than": _bound("below", "lt"),
    "less_than_equal": _bound("up to", "le"),
    "too_short": lambda ctx, _: ("the list is too short", f"name at least {ctx['min_length']}"),
    "string_too_short": lambda _ctx, _: ("the text is empty", "give a value, or remove the key"),
    "string_too_long": lambda ctx, _: ("the text is too long", f"use at most {ctx['max_length']} characters"),
    "string_pattern_mismatch": lambda ctx, value: (
        f"{value!r} does not have the form that is asked for",
        f"it must match {ctx['pattern']}",
    ),
}
