"""RDMA on a path: the tools of perftest and rping, their ports, their servers, and what they print."""

from __future__ import annotations

import re

from gedge_provision.models.perf import Measure, PerfSettings

__all__ = ["RDMA_MEASURES", "answers", "check_words", "figures_of_perftest", "renewal_words", "server_script", "words"]

RDMA_MEASURES: tuple[Measure, ...] = ("rdma-write", "rdma-write-latency", "rdma-send-latency")
_TOOLS: dict[Measure, str] = {
    "rdma-write": "ib_write_bw",
    "rdma-write-latency": "ib_write_lat",
    "rdma-send-latency": "ib_send_lat",
}
_FIRST_PORT = 25601  # above those of the other tools: 4 for each pair
_BLOCK = "65536"
_ROUND_TRIPS = "1000"  # perftest has percentiles of a number of messages only, not of a time
_PINGS = "3"
_MEGA_OF_GIGA = 1000
_ROWS = {"rdma-write": 5, "rdma-write-latency": 9, "rdma-send-latency": 9}


def words(measure: Measure, settings: PerfSettings, pair: int, server: str) -> tuple[str, ...]:
    """Return the command of the client; that of the server is the same without the address."""
    # Connections by the RDMA connection manager (-R): it finds device and GID by the address of the path.
    # -F: no warning of CPUs that change their frequency.
    common: tuple[str, ...] = (_TOOLS[measure], "-R", "-F", "-p", str(_port(measure, pair)))
    if measure == "rdma-write":
        common += ("--report_gbits", "-s", _BLOCK, "-D", str(settings.seconds))
    else:
        common += ("-s", str(settings.message_bytes), "-n", _ROUND_TRIPS)
    return (*common, server) if server else common


def check_words(pair: int, server: str) -> tuple[str, ...]:
    """Return what tells whether RDMA works at all."""
    return ("rping", "-c", "-v", "-C", _PINGS, "-a", server, "-p", str(_ping_port(pair)))


def answers(output: str) -> str:
    """Return why rping got no answer; empty when it did."""
    if output.count("ping data: rdma-ping") >= int(_PINGS):
        return ""
    said = output.strip().splitlines()
    return f"rping: {said[-1] if said else 'nothing'}"


def server_script(settings: PerfSettings, pair: int) -> str:
    """Return the shell commands that serve all of them; each of perftest's servers ends with its client."""
    lines = [
        f"while :; do {' '.join(words(measure, settings, pair, ''))} & echo $! >{_pid_file(measure)}; wait; sleep 1; "
        "done >/dev/null 2>&1 &"
        for measure in RDMA_MEASURES
    ]
    ping = f"while :; do rping -s -P -a 0.0.0.0 -p {_ping_port(pair)}; sleep 1; done >/dev/null 2>&1 &"
    return "\n".join([*lines, ping]) + "\n"


def renewal_words(measure: Measure) -> tuple[str, ...]:
    """Return what makes a server of perftest begin anew: one whose client was killed waits for it for ever."""
    return ("sh", "-c", f"kill -KILL $(cat {_pid_file(measure)})")


def _pid_file(measure: Measure) -> str:
    return f"/tmp/{measure}.pid"  # noqa: S108 - of the pod's own


def figures_of_perftest(measure: Measure, output: str) -> dict[str, float] | str:
    """Return the figures of a measurement, or why there are none."""
    rows = [line.split() for line in output.splitlines() if re.fullmatch(r"[\s\d.]+", line)]
    rows = [row for row in rows if len(row) >= _ROWS[measure]]
    if not rows:
        said = [line.strip() for line in output.splitlines() if line.strip(" -")]
        return f"{_TOOLS[measure]}: {said[-1] if said else 'nothing'}"
    row = [float(word) for word in rows[-1]]
    if measure == "rdma-write":
        return {"mbit_s": row[3] * _MEGA_OF_GIGA, "messages": row[1]}
    names = ("min_us", "max_us", "p50_us", "avg_us", "", "p99_us", "p99.9_us")
    return {name: value for name, value in zip(names, row[2:], strict=False) if name} | {"messages": row[1]}


def _port(measure: Measure, pair: int) -> int:
    return _FIRST_PORT + 4 * pair + RDMA_MEASURES.index(measure)


def _ping_port(pair: int) -> int:
    return _FIRST_PORT + 4 * pair + len(RDMA_MEASURES)
