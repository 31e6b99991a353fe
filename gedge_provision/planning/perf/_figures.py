"""From samples to figures: median and spread over the rounds, in the order of tables and charts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Literal

from gedge_provision.models.perf import Measure, PerfResults, PerfSettings, Sample

__all__ = ["METRICS", "Figure", "Metric", "figures", "measure_title", "path_labels", "shown"]


@dataclass(frozen=True)
class Metric:
    """A kind of figure: how it is called, its unit, and which direction is better."""

    title: str
    unit: str
    better: Literal["higher", "lower", ""] = ""


METRICS = {
    "mbit_s": Metric("throughput", "Mbit/s", "higher"),
    "retransmits": Metric("retransmits", "", "lower"),
    "lost_percent": Metric("lost", "%", "lower"),
    "jitter_us": Metric("jitter", "µs", "lower"),
    "avg_us": Metric("average", "µs", "lower"),
    "min_us": Metric("least", "µs", "lower"),
    "p50_us": Metric("p50", "µs", "lower"),
    "p90_us": Metric("p90", "µs", "lower"),
    "p99_us": Metric("p99", "µs", "lower"),
    "p99.9_us": Metric("p99.9", "µs", "lower"),
    "max_us": Metric("max", "µs", "lower"),
    "messages": Metric("messages", ""),
    "dropped": Metric("dropped", "", "lower"),
    "client_cpu_percent": Metric("CPU of the client", "%", "lower"),
    "server_cpu_percent": Metric("CPU of the server", "%", "lower"),
}
_LATENCY = ("p50_us", "p90_us", "p99_us", "p99.9_us", "max_us")
_SHOWN: dict[Measure, tuple[str, ...]] = {
    "tcp": ("mbit_s", "retransmits"),
    "tcp-parallel": ("mbit_s", "retransmits"),
    "udp": ("mbit_s", "lost_percent", "jitter_us"),
    "ping-pong": _LATENCY,
    "under-load": (*_LATENCY, "dropped"),
    "rdma-write": ("mbit_s",),
    "rdma-write-latency": ("p50_us", "p99_us", "max_us"),
    "rdma-send-latency": ("p50_us", "p99_us", "max_us"),
    "size-latency": ("p50_us", "p99_us"),
    "size-throughput": ("mbit_s", "lost_percent"),
}


@dataclass(frozen=True)
class Figure:
    """A metric of one measurement on one path: the median of the rounds, the lowest and the highest."""

    path: str
    measure: Measure
    size: int | None
    metric: str
    median: float
    low: float
    high: float
    rounds: int


def figures(results: PerfResults) -> tuple[Figure, ...]:
    """Return every figure of a run, by measurement, size, metric and path."""
    grouped: dict[tuple[Measure, int | None, str, str], list[float]] = {}
    for sample in _in_order(results.samples):
        for metric, value in sample.values.items():
            grouped.setdefault((sample.measure, sample.size, metric, sample.label), []).append(value)
    found = [
        Figure(path, measure, size, metric, median(values), min(values), max(values), len(values))
        for (measure, size, metric, path), values in grouped.items()
    ]
    metrics, paths = list(METRICS), path_labels(results)
    order = list(_SHOWN)
    return tuple(
        sorted(
            found,
            key=lambda one: (
                order.index(one.measure),
                one.size or 0,
                metrics.index(one.metric),
                paths.index(one.path) if one.path in paths else len(paths),
            ),
        )
    )


def path_labels(results: PerfResults) -> list[str]:
    """Return what the paths of a run are called, in their order."""
    return list(dict.fromkeys([path.label for path in results.paths] + [sample.label for sample in results.samples]))


def shown(figure: Figure) -> bool:
    """Tell whether a figure stands in the table; all are in the JSON."""
    return figure.metric in _SHOWN[figure.measure]


def measure_title(measure: Measure, size: int | None, settings: PerfSettings) -> str:
    """Return what a measurement is called in tables and charts."""
    sized = f"{size} B" if size is not None else f"{settings.message_bytes} B"
    return {
        "tcp": "TCP, 1 stream",
        "tcp-parallel": f"TCP, {settings.streams} streams",
        "udp": f"UDP at {settings.udp_mbits} Mbit/s",
        "ping-pong": f"latency, {sized}",
        "under-load": f"latency at {settings.load_messages} messages/s",
        "rdma-write": "RDMA write, 64 KiB",
        "rdma-write-latency": f"RDMA write latency, {sized}",
        "rdma-send-latency": f"RDMA send latency, {sized}",
        "size-latency": f"sweep, {sized}: latency",
        "size-throughput": f"sweep, {sized}: UDP",
    }[measure]


def _in_order(samples: Iterable[Sample]) -> list[Sample]:
    return sorted(samples, key=lambda sample: sample.round)
