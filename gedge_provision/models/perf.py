"""Measurements of the network between two nodes: what was asked for, what was found, and how it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gedge_provision.models.base import Document

__all__ = [
    "LARGEST_MESSAGE",
    "SWEEP_SIZES",
    "Measure",
    "NodeFacts",
    "PathFacts",
    "PerfRecord",
    "PerfResults",
    "PerfSettings",
    "PerfState",
    "Pinning",
    "Problem",
    "Sample",
    "path_label",
]

Measure = Literal[
    "tcp",
    "tcp-parallel",
    "udp",
    "ping-pong",
    "under-load",
    "rdma-write",
    "rdma-write-latency",
    "rdma-send-latency",
    "size-latency",
    "size-throughput",
]
"""What is measured; docs/perf.md tells each."""
Pinning = Literal["unpinned", "pinned"]
"""Whether the pods own their CPUs."""
PerfState = Literal["complete", "partial", "interrupted"]
"""How a run ended: partial ones lack a path or a measurement."""

LARGEST_MESSAGE = 65507
"""Bytes that a UDP datagram carries over IPv4 (65535 less both headers)."""
SWEEP_SIZES = (64, 256, 1024, 4096, 8192, 16384, 32768, LARGEST_MESSAGE)

MessageSize = Annotated[int, Field(ge=16, le=LARGEST_MESSAGE)]


def path_label(path: str, pinning: Pinning) -> str:
    """Return what a path with these pods is called in tables and charts."""
    return path if pinning == "unpinned" else f"{path} (pinned)"


class PerfSettings(Document):
    """How measurements are made; two runs compare well when these are equal."""

    seconds: Annotated[int, Field(ge=1, le=300)] = 3
    rounds: Annotated[int, Field(ge=1, le=100)] = 3
    streams: Annotated[int, Field(ge=2, le=64)] = 4
    udp_mbits: Annotated[int, Field(ge=1, le=400_000)] = 100
    load_messages: Annotated[int, Field(ge=100, le=5_000_000)] = 10_000
    message_bytes: MessageSize = 64
    sizes: tuple[MessageSize, ...] = ()
    pinned_cpus: Annotated[int, Field(ge=1, le=256)] | None = None
    both: bool = False

    @property
    def pinnings(self) -> tuple[Pinning, ...]:
        """The kinds of pods that are measured."""
        if self.pinned_cpus is None:
            return ("unpinned",)
        return ("unpinned", "pinned") if self.both else ("pinned",)


class NodeFacts(Document):
    """What a node was while it was measured."""

    name: str
    address: str
    kernel: str
    os: str
    kubelet: str
    runtime: str
    cpu_model: str = ""
    cpus: str = ""
    emulated: bool = False
    kubelet_settings: dict[str, str] = Field(default_factory=dict)


class PathFacts(Document):
    """A path that was measured: a network configuration, seen from both pods."""

    name: str
    kind: str
    pinning: Pinning
    server_address: str
    client_address: str
    mtu: int = 0
    server_cpus: str = ""
    client_cpus: str = ""
    server_device: str = ""
    client_device: str = ""

    @property
    def label(self) -> str:
        """What the path is called in tables and charts."""
        return path_label(self.name, self.pinning)


class Sample(Document):
    """One measurement of one round; `values` are named with their units."""

    path: str
    pinning: Pinning
    measure: Measure
    size: int | None = None
    round: int
    values: dict[str, float]
    raw: str

    @property
    def label(self) -> str:
        """What the path is called in tables and charts."""
        return path_label(self.path, self.pinning)


class Problem(Document):
    """What could not be measured, and what to do about it."""

    path: str
    pinning: Pinning | None = None
    what: str
    message: str
    remedy: str = ""


class PerfResults(Document):
    """A run: everything that it found. The raw output of the tools lies beside it."""

    version: Literal[1] = 1
    id: str
    site: str
    began: datetime
    ended: datetime
    state: PerfState
    emulated: bool = Field(description="Whether the figures say nothing about real hardware.")
    emulation: str = Field("", description="Why, in words.")
    server: str
    client: str
    settings: PerfSettings
    image: str
    cluster_version: str
    nodes: tuple[NodeFacts, ...]
    paths: tuple[PathFacts, ...]
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def mark(self) -> str:
        """The words that mark an emulated run; empty for one on real hosts."""
        return f"EMULATED: {self.emulation}; these figures say nothing about real hardware" if self.emulated else ""


@dataclass(frozen=True)
class PerfRecord:
    """A run of the past in its folder; one that was killed has no results."""

    id: str
    folder: Path
    results: PerfResults | None
