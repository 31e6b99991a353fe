"""Two runs beside one another; emulated ones never beside real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gedge_provision.models.errors import UsageError
from gedge_provision.models.perf import Measure, PerfResults
from gedge_provision.planning.perf._figures import METRICS, Figure, figures, shown

__all__ = ["Comparison", "Verdict", "comparable_runs", "compare"]

Verdict = Literal["better", "worse", "alike", ""]
"""Alike: the ranges of both runs overlap, or the medians differ by less than 2 %.

Empty: the metric has no better or worse, or a run of one round has no range.
"""

_NOTICED_PERCENT = 2


@dataclass(frozen=True)
class Comparison:
    """One figure in both runs; `change` is that of the medians, in percent of the first (None from 0)."""

    path: str
    measure: Measure
    size: int | None
    metric: str
    first: Figure
    second: Figure
    change: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Compared:
    """All figures that two runs have in common, and the conditions in which they differ."""

    rows: tuple[Comparison, ...]
    conditions: tuple[str, ...]


def compare(first: PerfResults, second: PerfResults) -> Compared:
    """Compare two runs.

    Raises:
        UsageError: one is emulated and the other is not, or they have no figure in common.
    """
    if first.emulated != second.emulated:
        emulated, real = (first, second) if first.emulated else (second, first)
        raise UsageError(
            f"run {emulated.id} is emulated ({emulated.emulation}), run {real.id} is real: they cannot be compared",
            remedy="compare runs of one kind: gedge perf list tells which are emulated",
        )
    known = {_key(figure): figure for figure in figures(first)}
    pairs = [(known[_key(figure)], figure) for figure in figures(second) if _key(figure) in known and shown(figure)]
    if not pairs:
        raise UsageError(
            f"runs {first.id} and {second.id} have no figure in common",
            remedy="measure the same networks: gedge perf show tells what a run measured",
        )
    return Compared(tuple(_comparison(*pair) for pair in pairs), conditions(first, second))


def comparable_runs(results: PerfResults, others: tuple[PerfResults, ...]) -> tuple[PerfResults, ...]:
    """Return the earlier runs that may stand beside one: of the same kind, between the same nodes; oldest first."""
    alike = [
        other
        for other in others
        if (other.emulated, other.client, other.server) == (results.emulated, results.client, results.server)
        and other.began < results.began
    ]
    return tuple(sorted(alike, key=lambda other: other.began))


def conditions(first: PerfResults, second: PerfResults) -> tuple[str, ...]:
    """Return in words in which conditions two runs differ."""
    found = []
    for what, one, two in (
        ("client node", first.client, second.client),
        ("server node", first.server, second.server),
        ("image", first.image, second.image),
        ("Kubernetes", first.cluster_version, second.cluster_version),
    ):
        if one != two:
            found.append(f"{what}: {one}, then {two}")
    before, after = first.settings.model_dump(), second.settings.model_dump()
    found += [f"{key}: {before[key]}, then {after[key]}" for key in before if before[key] != after[key]]
    nodes = {node.name: node for node in first.nodes}
    for node in second.nodes:
        old = nodes.get(node.name)
        if old is None:
            continue
        was, now = old.model_dump(), node.model_dump()
        found += [f"{key} of {node.name}: {was[key]}, then {now[key]}" for key in was if was[key] != now[key]]
    return tuple(found)


def _key(figure: Figure) -> tuple[str, str, int | None, str]:
    return figure.path, figure.measure, figure.size, figure.metric


def _comparison(first: Figure, second: Figure) -> Comparison:
    change = (second.median - first.median) / first.median * 100 if first.median else None
    better = METRICS[first.metric].better
    verdict: Verdict = ""
    if better and min(first.rounds, second.rounds) > 1:
        apart = second.low > first.high or second.high < first.low
        apart = apart and (change is None or abs(change) >= _NOTICED_PERCENT)
        rises = second.median > first.median
        verdict = "alike" if not apart else "better" if rises == (better == "higher") else "worse"
    return Comparison(first.path, first.measure, first.size, first.metric, first, second, change, verdict)
