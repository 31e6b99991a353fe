"""Names and kinds of all fields, and the feature gates, of one version of the kubelet.

The kubelet reads unknown fields without a word, as if they were not there: a slip of the pen has no effect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from gedge_provision.models.kubelet_rules._base import Fields, Refusal, nearest, text_of

__all__ = ["Gate", "KubeletNames", "name_refusals"]

_DURATION = re.compile(r"0|[+-]?((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+", re.ASCII)


class Gate(BaseModel):
    """A feature gate.

    Attributes:
        default: whether it is on by itself.
        locked: whether that cannot be changed.
        stage: ALPHA or BETA, of those that AllAlpha and AllBeta switch.
        needs: gates without which it cannot be on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: bool
    locked: bool = False
    stage: str = ""
    needs: tuple[str, ...] = ()


class KubeletNames(BaseModel):
    """What a version of the kubelet knows.

    Attributes:
        version: its first two numbers.
        fields: kind of each field of the KubeletConfiguration: bool, integer, number, text, duration, quantity or any;
            fields of a mapping; under the one key `*` of a mapping the kind of all its values; under `[]` that of the
            entries of a list.
        gates: its feature gates.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    fields: dict[str, Any]
    gates: dict[str, Gate]


def name_refusals(fields: Fields, names: KubeletNames) -> Iterator[Refusal]:
    """Yield fields of a wrong kind, and names that the kubelet does not know.

    Args:
        fields: as they are written.
        names: what the kubelet knows.
    """
    for name, value in fields.items():
        if name in ("apiVersion", "kind"):
            continue
        yield from _look("", name, value, names.fields)
    gates = fields.get("featureGates")
    if isinstance(gates, Mapping):
        yield from _gates(gates, names.gates)


def _gates(asked: Mapping[str, object], known: Mapping[str, Gate]) -> Iterator[Refusal]:
    for name, value in asked.items():
        gate = known.get(name)
        if gate is None:
            close = nearest(name, known)
            remedy = close.partition(" (")[0] if close.startswith("did you mean") else "take it out"
            yield Refusal(f"featureGates.{name}", f"there is no feature gate {name!r}", remedy)
        elif gate.locked and value is not gate.default and isinstance(value, bool):
            yield Refusal(
                f"featureGates.{name}",
                f"the feature gate {name} is always {text_of(gate.default)}, and cannot be {text_of(value)}",
                "take it out",
            )
    for name, gate in known.items():
        missing = [other for other in gate.needs if not _is_on(other, asked, known)]
        if missing and _is_on(name, asked, known):
            yield Refusal(
                f"featureGates.{name}",
                f"the feature gate {name} is on, and needs {', '.join(missing)}",
                f"switch {'them' if len(missing) > 1 else 'it'} on, or {name} off",
            )


def _is_on(name: str, asked: Mapping[str, object], known: Mapping[str, Gate]) -> bool:
    gate = known[name]
    by_stage = {"ALPHA": "AllAlpha", "BETA": "AllBeta"}.get(gate.stage, "")
    return bool(asked.get(name, asked.get(by_stage, gate.default)))


def _look(place: str, name: str, value: object, kinds: Mapping[str, Any]) -> Iterator[Refusal]:
    path = f"{place}.{name}" if place else name
    if name not in kinds:
        close = nearest(name, kinds)
        yield Refusal(
            path,
            f"the kubelet has no field {path}",
            close.partition(" (")[0] if close.startswith("did you mean") else "take it out",
            stricter=True,
        )
        return
    yield from _value(path, value, kinds[name])


def _value(path: str, value: object, kind: Any) -> Iterator[Refusal]:  # noqa: ANN401 - see KubeletNames
    if value is None:
        return
    shape = kind if isinstance(kind, str) else "list" if "[]" in kind else "mapping"
    if wrong := _WRONG[shape](value):
        yield Refusal(path, f"{path} is {_described(value)}, where the kubelet wants {wrong[0]}", wrong[1])
    elif isinstance(value, (list, tuple)) and shape == "list":
        for place, entry in enumerate(value):
            yield from _value(f"{path}[{place}]", entry, kind["[]"])
    elif isinstance(value, Mapping) and shape == "mapping":
        for name, inner in value.items():
            if "*" in kind:
                yield from _value(f"{path}.{name}", inner, kind["*"])
            else:
                yield from _look(path, name, inner, kind)


def _described(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f"the text {value!r}" if isinstance(value, str) else text_of(value)


def _text(value: object) -> tuple[str, str] | None:
    remedy = f"put it in quotes: '{text_of(value)}'" if isinstance(value, (bool, int, float)) else "write text"
    return None if isinstance(value, str) else ("text", remedy)


def _integer(value: object) -> tuple[str, str] | None:
    right = isinstance(value, int) and not isinstance(value, bool)
    return None if right else ("a whole number", "write digits, without quotes")


def _number(value: object) -> tuple[str, str] | None:
    right = isinstance(value, (int, float)) and not isinstance(value, bool)
    return None if right else ("a number", "write a number, without quotes")


def _bool(value: object) -> tuple[str, str] | None:
    return None if isinstance(value, bool) else ("true or false", "write true or false, without quotes")


def _duration(value: object) -> tuple[str, str] | None:
    right = isinstance(value, str) and _DURATION.fullmatch(value)
    return None if right else ("a time with its unit", "write it like 10s or 1m30s")


def _quantity(value: object) -> tuple[str, str] | None:
    right = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return None if right else ("a quantity", "write it like 500m or 1Gi")


def _list(value: object) -> tuple[str, str] | None:
    return None if isinstance(value, (list, tuple)) else ("a list", "write [ONE, OTHER]")


def _mapping(value: object) -> tuple[str, str] | None:
    return None if isinstance(value, Mapping) else ("keys with values", "write KEY: VALUE")


def _any(_value: object) -> tuple[str, str] | None:
    return None


_WRONG: Mapping[str, Callable[[object], tuple[str, str] | None]] = {
    "any": _any,
    "bool": _bool,
    "duration": _duration,
    "integer": _integer,
    "list": _list,
    "mapping": _mapping,
    "number": _number,
    "quantity": _quantity,
    "text": _text,
}
