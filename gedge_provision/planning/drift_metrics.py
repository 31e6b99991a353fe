"""What a look for drift found, as metrics in Prometheus' text format. Pure: no clock, no file.

Labels hold names of sites, hosts, kinds and concerns only: what differs may be nobody else's to read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gedge_provision.models.plan import Plan

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

__all__ = ["PREFIX", "Earlier", "read_earlier", "render"]

PREFIX = "gedge_drift_"
"""What the names of all these metrics begin with."""
_LAST = f"{PREFIX}last_success_timestamp_seconds"
_UP = f"{PREFIX}up"


@dataclass(frozen=True)
class Earlier:
    """What a text of these metrics tells of the look before: its site, and when a look last succeeded (Unix time)."""

    site: str
    last_success: float | None


@dataclass(frozen=True)
class _Look:
    """A collector: its families are those of one look."""

    site: str
    plan: Plan | None
    seconds: float
    last_success: float | None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield self._one(_UP, "Whether the last look succeeded.", float(self.plan is not None))
        yield self._one(f"{PREFIX}duration_seconds", "How long the last look took.", self.seconds)
        if self.last_success is not None:
            yield self._one(_LAST, "Unix time at which a look last succeeded.", self.last_success)
        if self.plan is not None:
            yield self._counts(
                f"{PREFIX}changes",
                "Things that an apply would change.",
                ("host", "kind"),
                Counter((host.host, change.kind) for host in self.plan.hosts for change in host.changes),
            )
            yield self._counts(
                f"{PREFIX}differences",
                "What differs in running nodes and an apply would not put right.",
                ("concern",),
                Counter((found.concern,) for found in self.plan.differences),
            )

    def _one(self, name: str, meaning: str, value: float) -> GaugeMetricFamily:
        return self._counts(name, meaning, (), {(): value})

    def _counts(
        self,
        name: str,
        meaning: str,
        labels: tuple[str, ...],
        values: dict[tuple[str, ...], float] | Counter[tuple[str, ...]],
    ) -> GaugeMetricFamily:
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - see render

        family = GaugeMetricFamily(name, meaning, labels=("site", *labels))
        for key, value in sorted(values.items()):
            family.add_metric((self.site, *key), value)
        return family


def render(site: str, plan: Plan | None, *, seconds: float, last_success: float | None) -> str:
    """Return the metrics of a look.

    Args:
        site: name of the site.
        plan: what was found; None when the look failed, and then nothing is said of changes and differences.
        seconds: how long it took.
        last_success: Unix time at which a look last succeeded, None if none has.
    """
    # The library takes 0.1 s to import: only who wants metrics pays for it.
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415

    registry = CollectorRegistry()
    registry.register(_Look(site, plan, seconds, last_success))
    return generate_latest(registry).decode()


def read_earlier(text: str) -> Earlier | None:
    """Return what the text of an earlier look tells; None of an empty text.

    Raises:
        ValueError: it is no text of these metrics alone.
    """
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - see render

    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    if not text.strip():
        return None
    sites = {sample.labels.get("site", "") for sample in samples}
    if len(sites) != 1 or "" in sites or not all(sample.name.startswith(PREFIX) for sample in samples):
        raise ValueError("other metrics")
    times = [sample.value for sample in samples if sample.name == _LAST]
    return Earlier(sites.pop(), times[0] if times else None)
