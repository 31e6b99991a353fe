"""What the server tells Prometheus of itself: counts and times by operation, never names, tokens or documents."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "gse_requests", "Answers, by method, path pattern and status.", ["method", "path", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "gse_request_seconds", "Time to the end of an answer, of streams to their first byte.", ["method", "path"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.in_flight = Gauge("gse_requests_in_flight", "Requests without an answer yet.", registry=self.registry)
        self.watches = Gauge("gse_watches", "Open watches of clients.", registry=self.registry)
        self.upstream_watches = Gauge(
            "gse_upstream_watches", "Watches on the Kubernetes API, which clients share.", registry=self.registry
        )
        self.dropped = Counter(
            "gse_streams_dropped",
            "Watches and logs that ended since their client read too slowly.",
            registry=self.registry,
        )
        self.rollouts = Gauge("gse_rollouts", "Rollouts that this server carries out now.", registry=self.registry)
        self.logs = Gauge("gse_logs", "Logs that are followed.", registry=self.registry)

    def text(self) -> bytes:
        """Return the figures in Prometheus' text format."""
        return generate_latest(self.registry)
