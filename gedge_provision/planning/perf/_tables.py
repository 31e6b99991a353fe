"""Figures as rows: measurements down, paths across."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gedge_provision.models.perf import PerfResults
from gedge_provision.planning.perf._figures import METRICS, Figure, figures, measure_title, path_labels, shown

__all__ = ["Row", "spelled", "table_rows"]

_EXACT_BELOW = 1000


@dataclass(frozen=True)
class Row:
    """A row of the table: measurement, figure with its unit, and a cell for each path."""

    title: str
    metric: str
    cells: tuple[str, ...]


def table_rows(results: PerfResults) -> tuple[Row, ...]:
    """Return the table of a run; columns are those of path_labels."""
    found: dict[tuple[str, str], dict[str, Figure]] = {}
    for figure in figures(results):
        if shown(figure):
            title = measure_title(figure.measure, figure.size, results.settings)
            metric = METRICS[figure.metric]
            name = f"{metric.title}, {metric.unit}" if metric.unit else metric.title
            found.setdefault((title, name), {})[figure.path] = figure
    labels = path_labels(results)
    return tuple(
        Row(title, metric, tuple(_cell(cells.get(label)) for label in labels))
        for (title, metric), cells in found.items()
    )


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    if figure.rounds == 1:
        return spelled([figure.median])[0]
    middle, low, high = spelled([figure.median, figure.low, figure.high])
    return f"{middle} ({low}-{high})"


def spelled(values: Sequence[float]) -> list[str]:
    """Return figures that belong together with equally many decimals: one below a thousand, else none."""
    exact = max(values) < _EXACT_BELOW and any(value % 1 for value in values)
    return [f"{value:.1f}" if exact else f"{value:.0f}" for value in values]
