"""What rules look at and what they answer; the kubelet's ways to read text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

__all__ = ["Fields", "KubeletHost", "Refusal", "amount", "cpu_list", "gate_is_on", "nearest", "switch", "text_of"]

Fields = Mapping[str, Any]
"""Fields of a KubeletConfiguration (kubelet.config.k8s.io/v1beta1), in the kubelet's own words."""

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{name: Decimal(1000) ** power for power, name in enumerate("kMGTPE", start=1)},
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", start=1)},
}
_AMOUNT = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([A-Za-z]{0,2}|[eE][+-]?\d+)", re.ASCII)
_SWITCHES = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_CPUS = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*", re.ASCII)


@dataclass(frozen=True)
class Refusal:
    """Why settings are refused.

    Attributes:
        field: the field, with dots before what is inside it.
        message: what is wrong.
        remedy: what to do.
        stricter: a kubelet starts with it all the same, and does not do what was meant.
        write: what to have in the field instead; None for nothing.
    """

    field: str
    message: str
    remedy: str
    stricter: bool = False
    write: str | None = None

    def __str__(self) -> str:
        return f"{self.message} -> {self.remedy}"


@dataclass(frozen=True)
class KubeletHost:
    """What of a host decides whether a kubelet starts there.

    Attributes:
        cpus: the CPUs that are online.
        numa: bytes of memory by NUMA node.
        cpu_nodes: how many NUMA nodes have CPUs.
        sockets: how many sockets have CPUs.
        memory: bytes of memory, all in all.
        distances: whether the kernel tells the distances between the NUMA nodes.
        control_plane: whether the static pods of a control plane run here.
    """

    cpus: frozenset[int]
    numa: Mapping[int, int]
    cpu_nodes: int
    sockets: int
    memory: int
    distances: bool = True
    control_plane: bool = False


def amount(text: object) -> Decimal | None:
    """Return a Kubernetes quantity (apimachinery resource.ParseQuantity) as a number, None where it is none."""
    match = _AMOUNT.fullmatch(str(text))
    if match is None:
        return None
    if match[2] in _SUFFIXES:
        return Decimal(match[1]) * _SUFFIXES[match[2]]
    exponent = re.fullmatch(r"[eE]([+-]?\d{1,2})", match[2])
    return Decimal(match[1]).scaleb(int(exponent[1])) if exponent else None


def switch(text: str) -> bool | None:
    """Return what Go's strconv.ParseBool makes of text, None where it refuses."""
    return _SWITCHES.get(text)


def cpu_list(text: str) -> frozenset[int] | None:
    """Return a CPU list as the kubelet reads it (k8s.io/utils/cpuset, Parse), None where it does not.

    Unlike the kernel's lists these have no strides, and no spaces.
    """
    if not _CPUS.fullmatch(text):
        return None
    cpus: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if int(last or first) < int(first):
            return None
        cpus.update(range(int(first), int(last or first) + 1))
    return frozenset(cpus)


def gate_is_on(fields: Fields, name: str, *, default: bool, stage: str) -> bool:
    """Tell whether a feature gate is on.

    Args:
        fields: with featureGates.
        name: of the gate.
        default: whether it is on by itself.
        stage: Alpha or Beta; AllAlpha and AllBeta switch all gates of one.
    """
    gates = fields.get("featureGates") or {}
    return bool(gates.get(name, gates.get(f"All{stage}", default)))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return what to write instead of a name that is not known."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1) or [one for one in known if one.lower() == name.lower()]
    listed = f"use one of {', '.join(known)}"
    return f"did you mean {close[0]}? ({listed})" if close else listed


def text_of(value: object) -> str:
    """Return a value as YAML has it, for messages."""
    return str(value).lower() if isinstance(value, bool) else str(value)
