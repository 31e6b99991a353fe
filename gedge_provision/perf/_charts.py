"""Charts of a run as inline SVG: no script, nothing from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gedge_provision.models.perf import Measure, PerfResults
from gedge_provision.planning import perf as planning

__all__ = ["Chart", "charts"]

_PERCENTILES = ("p50_us", "p90_us", "p99_us", "p99.9_us", "max_us")
_COLOURS = ("#2f6fde", "#d9622b", "#1a8f5a", "#9b4fc9", "#c23a6b", "#7a6a1f", "#0f8a9d", "#5b6470")


@dataclass(frozen=True)
class Chart:
    """A chart: its title, what it shows in a sentence, and the SVG."""

    title: str
    meaning: str
    svg: str


def charts(results: PerfResults, earlier: Sequence[PerfResults]) -> tuple[Chart, ...]:
    """Return the charts of a run; what was not measured has none."""
    figures = planning.figures(results)
    made = [
        _throughput(results, figures),
        _percentiles(results, figures, "ping-pong"),
        _percentiles(results, figures, "under-load"),
        _sweep(results, figures, "size-latency", "p50_us"),
        _sweep(results, figures, "size-throughput", "mbit_s"),
    ]
    runs = [*earlier, results]
    if earlier:
        made += [
            _history(runs, "tcp", "mbit_s", "TCP over the runs"),
            _history(runs, "ping-pong", "p99_us", "Latency over the runs"),
        ]
    return tuple(chart for chart in made if chart is not None)


def _throughput(results: PerfResults, figures: Sequence[planning.Figure]) -> Chart | None:
    measures: tuple[Measure, ...] = ("tcp", "tcp-parallel")
    found = {(one.path, one.measure): one.median for one in figures if one.metric == "mbit_s"}
    # The library draws the first one at the bottom.
    present = [measure for measure in reversed(measures) if any(key[1] == measure for key in found)]
    if not present:
        return None
    chart = _made("HorizontalBar")
    chart.x_labels = [planning.measure_title(measure, None, results.settings) for measure in present]
    for path in planning.path_labels(results):
        chart.add(path, [found.get((path, measure)) for measure in present])
    return Chart("Throughput", "Mbit/s of payload that arrived; medians of the rounds.", _svg("throughput", chart))


def _percentiles(results: PerfResults, figures: Sequence[planning.Figure], measure: Measure) -> Chart | None:
    found = {
        (one.path, one.metric): one.median for one in figures if one.measure == measure and one.metric in _PERCENTILES
    }
    if not found:
        return None
    chart = _made("Line", **_decades(found.values()))
    chart.x_labels = [planning.METRICS[metric].title for metric in _PERCENTILES]
    for path in planning.path_labels(results):
        chart.add(path, [found.get((path, metric)) for metric in _PERCENTILES])
    title = planning.measure_title(measure, None, results.settings)
    meaning = "Half a round trip in µs at each percentile, on a logarithmic scale; medians of the rounds."
    return Chart(title[:1].upper() + title[1:], meaning, _svg(measure, chart))


def _sweep(results: PerfResults, figures: Sequence[planning.Figure], measure: Measure, metric: str) -> Chart | None:
    found = {(one.path, one.size): one.median for one in figures if (one.measure, one.metric) == (measure, metric)}
    sizes = sorted({size for _, size in found if size is not None})
    if not sizes:
        return None
    latency = metric == "p50_us"
    chart = _made("Line", **_decades(found.values()))
    chart.x_labels = [f"{size} B" for size in sizes]
    for path in planning.path_labels(results):
        chart.add(path, [found.get((path, size)) for size in sizes])
    if latency:
        return Chart("Latency by message size", "Median of half a round trip in µs, logarithmic.", _svg(measure, chart))
    return Chart("UDP throughput by message size", "Mbit/s of payload that arrived, logarithmic.", _svg(measure, chart))


def _history(runs: Sequence[PerfResults], measure: Measure, metric: str, title: str) -> Chart | None:
    series: dict[str, list[float | None]] = {}
    for number, run in enumerate(runs):
        for one in planning.figures(run):
            if (one.measure, one.size, one.metric) == (measure, None, metric):
                series.setdefault(one.path, [None] * len(runs))[number] = one.median
    if not series:
        return None
    rate = metric == "mbit_s"
    chart = _made("Line", include_x_axis=True)
    chart.x_labels = [f"{run.began:%m-%d %H:%M}" for run in runs]
    for path, values in series.items():
        chart.add(path, values)
    unit = "Mbit/s with one stream" if rate else "99th percentile of half a round trip in µs"
    return Chart(
        title, f"{unit}, of this run and earlier ones between the same nodes.", _svg(f"history-{measure}", chart)
    )


def _made(kind: str, **options: object) -> Any:  # noqa: ANN401 - the library has no types
    import pygal  # noqa: PLC0415 - most commands draw nothing
    from pygal.style import Style  # noqa: PLC0415 - as above

    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground="var(--soft)",
        foreground_strong="var(--text)",
        foreground_subtle="var(--line)",
        guide_stroke_color="var(--line)",
        major_guide_stroke_color="var(--line)",
        colors=_COLOURS,
        font_family="system-ui, sans-serif",
        label_font_size=12,
        major_label_font_size=12,
        legend_font_size=13,
        value_font_size=11,
        opacity=".85",
    )
    return getattr(pygal, kind)(
        style=style,
        width=860,
        height=360,
        js=(),
        legend_at_bottom=True,
        show_minor_y_labels=kind == "HorizontalBar" or "y_labels" in options,
        margin_right=40,
        value_formatter=_number,
        print_values=kind == "HorizontalBar",
        dots_size=3,
        **options,
    )


def _svg(name: str, chart: Any) -> str:  # noqa: ANN401 - as above
    chart.uuid = name  # else a new one each time: equal runs give equal pages
    chart.add_xml_filter(_plain)
    svg: str = chart.render(is_unicode=True, disable_xml_declaration=True)
    return svg


def _plain(root: Any) -> Any:  # noqa: ANN401 - an element of the library's choice of XML
    """Take scripts and comments (whose tag is no text) out of a drawing."""
    for parent in list(root.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] == "script":
                parent.remove(child)
    return root


def _decades(values: Iterable[float]) -> dict[str, object]:
    """Return a logarithmic scale with its labels at 1, 2 and 5 of each power of ten."""
    positive = [value for value in values if value > 0]
    low, high = (min(positive), max(positive)) if positive else (1.0, 10.0)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    labels = [digit * 10.0**exponent for exponent in exponents for digit in (1, 2, 5)]
    first = max((label for label in labels if label <= low), default=low)
    last = min((label for label in labels if label >= high), default=high)
    return {"logarithmic": True, "y_labels": [label for label in labels if first <= label <= last]}


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}".replace(",", " ") if value >= 100 or value % 1 == 0 else f"{value:.1f}"  # noqa: PLR2004
