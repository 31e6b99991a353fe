"""What the tools print, as figures with their units in their names."""

from __future__ import annotations

import json
import re
from typing import Any

from gedge_provision.models.perf import Measure
from gedge_provision.planning.perf._rdma import RDMA_MEASURES, figures_of_perftest

__all__ = ["MeasureError", "parse"]

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PERCENTILES = {"50.000": "p50_us", "90.000": "p90_us", "99.000": "p99_us", "99.900": "p99.9_us"}
_MEGA = 1e6


class MeasureError(ValueError):
    """A tool ended without figures; the message is its own reason."""


def parse(measure: Measure, output: str) -> dict[str, float]:
    """Return the figures of a measurement.

    Units: mbit_s 10^6 bit/s of payload that arrived; *_us microseconds; latencies are half a round trip.

    Raises:
        MeasureError: there are none.
    """
    if measure in RDMA_MEASURES:
        found = figures_of_perftest(measure, output)
        if isinstance(found, str):
            raise MeasureError(found)
        return found
    if measure in {"tcp", "tcp-parallel"}:
        return _stream(_iperf(output))
    if measure in {"udp", "size-throughput"}:
        return _datagrams(_iperf(output))
    return _latency(output)


def _iperf(output: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(output)
    except ValueError as error:
        raise MeasureError(f"iperf3 printed no JSON: {output.strip()[:200] or 'nothing'}") from error
    if found.get("error"):
        raise MeasureError(f"iperf3: {found['error']}")
    end: dict[str, Any] = found.get("end") or {}
    if not {"sum_sent", "sum_received"} <= set(end):
        raise MeasureError("iperf3 ended before it had figures")
    return end


def _stream(end: dict[str, Any]) -> dict[str, float]:
    figures = {
        "mbit_s": end["sum_received"]["bits_per_second"] / _MEGA,
        "retransmits": float(end["sum_sent"].get("retransmits", 0)),
    }
    return figures | _load(end)


def _datagrams(end: dict[str, Any]) -> dict[str, float]:
    # Not iperf3's own lost_percent: a slow node's counts what was lost in the warm-up too, and is more than 100.
    sent, received = end["sum_sent"], end["sum_received"]
    figures = {
        "mbit_s": received["bits_per_second"] / _MEGA,
        "lost_percent": max(0.0, 100 * (1 - received["bytes"] / sent["bytes"])) if sent["bytes"] else 100.0,
        "jitter_us": received["jitter_ms"] * 1000,
    }
    return figures | _load(end)


def _load(end: dict[str, Any]) -> dict[str, float]:
    used = end.get("cpu_utilization_percent", {})
    return {"client_cpu_percent": used.get("host_total", 0.0), "server_cpu_percent": used.get("remote_total", 0.0)}


def _latency(output: str) -> dict[str, float]:
    text = _COLOUR.sub("", output)
    valid = re.search(r"\[Valid Duration\] RunTime=([\d.]+) sec; SentMessages=(\d+); ReceivedMessages=(\d+)", text)
    average = re.search(r"avg-latency=([\d.]+)", text)
    if valid is None or average is None or not int(valid[3]):
        silent = "No messages were received from the server" in text
        said = "no message came back" if silent else text.strip().splitlines()[-1] if text.strip() else "nothing"
        raise MeasureError(f"sockperf: {said}")
    figures = {"avg_us": float(average[1]), "messages": float(valid[3])}
    for name, value in re.findall(r"percentile ([\d.]+) = +([\d.]+)", text):
        if name in _PERCENTILES:
            figures[_PERCENTILES[name]] = float(value)
    for name, key in (("MAX", "max_us"), ("MIN", "min_us")):
        extreme = re.search(rf"<{name}> observation = +([\d.]+)", text)
        if extreme:
            figures[key] = float(extreme[1])
    dropped = re.search(r"# dropped messages = (\d+)", text)
    figures["dropped"] = float(dropped[1]) if dropped else 0.0
    return figures
