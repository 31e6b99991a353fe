"""What is run for each measurement, in which order, and how long all of it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gedge_provision.models.perf import Measure, PerfSettings, Pinning, path_label
from gedge_provision.planning.perf._paths import NetPath
from gedge_provision.planning.perf._rdma import RDMA_MEASURES, check_words, words

__all__ = [
    "Pair",
    "Step",
    "Task",
    "check_command",
    "command",
    "expected_seconds",
    "rdma_check_command",
    "schedule",
    "starts",
    "steps",
]

_FIRST_PORT = 25201  # below the ranges of node ports and of outgoing connections
_WARM_UP_S = 1
_START_S = 1.0  # a call into a pod, and the tools' own beginning and end
_SPARE_S = 20
_RDMA_SPARE_S = 120
_CHECK_S = 1
_CHECKED_S = 2.0
_PODS_UP_S, _PODS_DOWN_S = 6.0, 5.0
_EMULATED_UP_S, _EMULATED_DOWN_S, _EMULATED_CALL_S = 45.0, 20.0, 4.0
"""Of each pair, and of each measurement: on emulated nodes the starts of pods and of programs take turns."""


@dataclass(frozen=True)
class Pair:
    """A server and a client pod of a path; `number` keeps ports and names apart."""

    number: int
    path: NetPath
    pinning: Pinning

    @property
    def label(self) -> str:
        """What it is called in progress and tables."""
        return path_label(self.path.name, self.pinning)

    @property
    def stream_port(self) -> int:
        """The port of iperf3."""
        return _FIRST_PORT + 2 * self.number

    @property
    def message_port(self) -> int:
        """The port of sockperf."""
        return self.stream_port + 1


@dataclass(frozen=True)
class Step:
    """A measurement, apart from where it is made."""

    measure: Measure
    size: int | None
    seconds: float
    limit_s: int


@dataclass(frozen=True)
class Task:
    """A measurement at its place in the order."""

    round: int
    batch: int
    pair: Pair
    step: Step


def steps(settings: PerfSettings, *, rdma: bool = False) -> tuple[Step, ...]:
    """Return the measurements of a path in one round, with those of RDMA where it has that."""
    plain: tuple[Measure, ...] = ("tcp", "tcp-parallel", "udp", "ping-pong", "under-load")
    plain += RDMA_MEASURES if rdma else ()
    swept: tuple[Measure, ...] = ("size-latency", "size-throughput")
    return tuple(_step(measure, None, settings) for measure in plain) + tuple(
        _step(measure, size, settings) for size in settings.sizes for measure in swept
    )


def _step(measure: Measure, size: int | None, settings: PerfSettings) -> Step:
    warm_up = _WARM_UP_S if measure in _STREAMS else 0  # sockperf leaves the first 0.4 s out by itself
    # Those of perftest count messages, not seconds: 1000 take a minute on emulated nodes that are busy.
    spare = _SPARE_S if measure not in RDMA_MEASURES else _RDMA_SPARE_S
    limit_s = settings.seconds + _WARM_UP_S + spare
    return Step(measure, size, settings.seconds + warm_up + _START_S, limit_s)


_STREAMS = ("tcp", "tcp-parallel", "udp", "size-throughput")


def command(step: Step, settings: PerfSettings, pair: Pair, server: str) -> tuple[str, ...]:
    """Return what the client's pod runs; it ends by itself, also when nobody listens any more."""
    return ("timeout", "-s", "KILL", str(step.limit_s), *_words(step, settings, pair, server))


def _words(step: Step, settings: PerfSettings, pair: Pair, server: str) -> tuple[str, ...]:
    if step.measure in RDMA_MEASURES:
        return words(step.measure, settings, pair.number, server)
    seconds = str(settings.seconds)
    iperf: tuple[str, ...] = (
        "iperf3",
        "--json",
        "--client",
        server,
        "--port",
        str(pair.stream_port),
        "--time",
        seconds,
    )
    iperf += ("--omit", str(_WARM_UP_S))
    size = str(step.size if step.size is not None else settings.message_bytes)
    load = ("--mps", str(settings.load_messages), "--reply-every", "10")
    plain: dict[Measure, tuple[str, ...]] = {
        "tcp": iperf,
        "tcp-parallel": (*iperf, "--parallel", str(settings.streams)),
        "udp": (*iperf, "--udp", "--bitrate", f"{settings.udp_mbits}M"),
        "size-throughput": (*iperf, "--udp", "--bitrate", "0", "--length", size),
        "ping-pong": _sockperf("ping-pong", pair, server, seconds, size),
        "size-latency": _sockperf("ping-pong", pair, server, seconds, size),
        "under-load": (*_sockperf("under-load", pair, server, seconds, size), *load),
    }
    return plain[step.measure]


def check_command(pair: Pair, server: str) -> tuple[str, ...]:
    """Return what tells whether the server answers at all."""
    return ("timeout", "-s", "KILL", "10", *_sockperf("ping-pong", pair, server, str(_CHECK_S), "64"))


def rdma_check_command(pair: Pair, server: str) -> tuple[str, ...]:
    """Return what tells whether RDMA works over a path."""
    return ("timeout", "-s", "KILL", "20", *check_words(pair.number, server))


def _sockperf(mode: str, pair: Pair, server: str, seconds: str, size: str) -> tuple[str, ...]:
    where = ("--ip", server, "--port", str(pair.message_port))
    return ("sockperf", mode, *where, "--time", seconds, "--msg-size", size)


def schedule(batches: Sequence[Sequence[Pair]], settings: PerfSettings) -> Iterator[Task]:
    """Yield all measurements in their order.

    The pairs take turns at each measurement, and every round begins with another one: what changes on the machines
    meanwhile meets all alike.
    """
    for number in range(settings.rounds):
        for index, batch in enumerate(batches):
            turn = number % len(batch)
            pairs = [*batch[turn:], *batch[:turn]]
            for step in steps(settings, rdma=True):
                for pair in pairs:
                    if pair.path.rdma or step.measure not in RDMA_MEASURES:
                        yield Task(number + 1, index, pair, step)


def expected_seconds(batches: Sequence[Sequence[Pair]], settings: PerfSettings, *, emulated: bool) -> int:
    """Return how long the run takes, pods included."""
    tasks = list(schedule(batches, settings))
    rounds = starts(batches, settings) // len(batches) if batches else 0
    pairs = rounds * sum(len(batch) for batch in batches)
    measured = sum(task.step.seconds for task in tasks)
    if emulated:
        return int(measured + _EMULATED_CALL_S * len(tasks) + pairs * (_EMULATED_UP_S + _EMULATED_DOWN_S + _CHECKED_S))
    return int(measured + starts(batches, settings) * (_PODS_UP_S + _PODS_DOWN_S) + pairs * _CHECKED_S)


def starts(batches: Sequence[Sequence[Pair]], settings: PerfSettings) -> int:
    """Return how often pods are started: those of several batches anew in each round."""
    return settings.rounds * len(batches) if len(batches) > 1 else len(batches)
