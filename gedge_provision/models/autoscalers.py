"""What a HorizontalPodAutoscaler tells (autoscaling/v2): the parts that are read here."""

from __future__ import annotations

from pydantic import Field

from gedge_provision.models.cluster import Condition, Metadata, Observed

__all__ = ["AutoscalerState", "MetricValue", "ResourceMetric"]


class MetricValue(Observed):
    """A target or what is measured: a part of the request in percent, or an average of the pods as a quantity."""

    average_utilization: int | None = None
    average_value: str = ""


class ResourceMetric(Observed):
    """A resource of pods, or of one container of each."""

    name: str
    container: str = ""
    target: MetricValue = Field(default_factory=MetricValue)
    current: MetricValue = Field(default_factory=MetricValue)


class _Metric(Observed):
    resource: ResourceMetric | None = None
    container_resource: ResourceMetric | None = None

    @property
    def of_pods(self) -> ResourceMetric | None:
        """The resource, whichever way it is counted."""
        return self.resource or self.container_resource


class _Spec(Observed):
    min_replicas: int = 1
    max_replicas: int
    metrics: tuple[_Metric, ...] = ()


class _Status(Observed):
    current_metrics: tuple[_Metric, ...] | None = ()
    conditions: tuple[Condition, ...] | None = ()


class AutoscalerState(Observed):
    """A HorizontalPodAutoscaler."""

    metadata: Metadata
    spec: _Spec
    status: _Status = Field(default_factory=_Status)

    @property
    def targets(self) -> tuple[ResourceMetric, ...]:
        """What its metrics are to be."""
        return tuple(one.of_pods for one in self.spec.metrics if one.of_pods is not None)

    def measured(self, wanted: ResourceMetric) -> MetricValue | None:
        """Return what is measured of a metric; None as long as nothing is."""
        for one in self.status.current_metrics or ():
            found = one.of_pods
            if found is not None and (found.name, found.container) == (wanted.name, wanted.container):
                return found.current
        return None

    def condition(self, kind: str) -> Condition | None:
        """Return a condition by its type; None as long as it is not known."""
        return next((one for one in self.status.conditions or () if one.type == kind), None)
