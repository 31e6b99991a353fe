"""Sets of CPUs in the spelling of Linux: lists such as 0-3,8."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import AfterValidator

__all__ = ["Cpuset", "format_cpuset", "parse_cpuset"]

_LAST_CPU = 8191  # NR_CPUS of the largest kernels that distributions build for x86_64

_PART = re.compile(r"(?P<first>\d+)(?:-(?P<last>\d+)(?::(?P<used>\d+)/(?P<group>\d+))?)?", re.ASCII)


def parse_cpuset(text: str) -> frozenset[int]:
    """Parse a Linux CPU list: `0-3,8`, also with strides (`0-15:2/4` is the first two of every four).

    Source: Linux kernel, Documentation/admin-guide/kernel-parameters.rst, "cpu lists".

    Raises:
        ValueError: it is no CPU list, or names a CPU that no kernel has.
    """
    return frozenset(cpu for part in text.split(",") for cpu in _cpus_of(text, part.strip()))


def _cpus_of(text: str, part: str) -> Iterator[int]:
    match = _PART.fullmatch(part)
    if not match:
        raise ValueError(f"{text!r} is no CPU list -> write it like 0-1,8")
    first, last = int(match["first"]), int(match["last"] or match["first"])
    used, group = int(match["used"] or 1), int(match["group"] or 1)
    if last < first:
        raise ValueError(f"{part!r} counts downwards -> write {last}-{first}")
    if last > _LAST_CPU:
        raise ValueError(f"Linux has no CPU {last} -> use numbers up to {_LAST_CPU}")
    if not 0 < used <= group:
        raise ValueError(f"{part!r} takes {used} of every {group} -> write it like {first}-{last}:1/2")
    for start in range(first, last + 1, group):
        yield from range(start, min(start + used, last + 1))


def format_cpuset(cpus: Iterable[int]) -> str:
    """Return the shortest list of ranges, as the kernel and the kubelet print it; empty for no CPU."""
    ranges: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if ranges and cpu == ranges[-1][1] + 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def _check(text: str) -> str:
    parse_cpuset(text)
    return text


Cpuset = Annotated[str, AfterValidator(_check)]
"""A CPU list in a document, as it was written."""
