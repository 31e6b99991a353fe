"""How the scaling of a service does, in a line, and what keeps it. Pure."""

from __future__ import annotations

from decimal import Decimal

from gedge_provision.models.autoscalers import AutoscalerState, MetricValue, ResourceMetric
from gedge_provision.models.pod_specs import amount_of

__all__ = ["NO_METRICS", "scaling_line", "scaling_trouble"]

NO_METRICS = (
    "the cluster has no metrics",
    "set kubernetes.metrics_server: true in the site file and apply it: gedge apply",
)
"""What keeps every scaling of a cluster without metrics, and the remedy."""

_SIZES = tuple((unit, Decimal(1024) ** power) for power, unit in ((3, "Gi"), (2, "Mi"), (1, "Ki")))


def scaling_line(state: AutoscalerState) -> str:
    """Return bounds and metrics: `scales 1 to 8, cpu 43% of 70%, memory 310Mi of 500Mi`."""
    parts = [f"scales {state.spec.min_replicas} to {state.spec.max_replicas}"]
    parts += [_metric(state, wanted) for wanted in state.targets]
    limited = state.condition("ScalingLimited")
    if limited is not None and limited.status == "True" and limited.reason == "TooManyReplicas":
        parts.append("more pods are wanted than max")
    return ", ".join(parts)


def _metric(state: AutoscalerState, wanted: ResourceMetric) -> str:
    of = f" of {wanted.container}" if wanted.container else ""
    current = state.measured(wanted)
    relative = wanted.target.average_utilization is not None
    told = _value(wanted.name, current, relative=relative) if current is not None else "unknown"
    return f"{wanted.name}{of} {told} of {_value(wanted.name, wanted.target, relative=relative)}"


def _value(resource: str, value: MetricValue, *, relative: bool) -> str:
    if relative and value.average_utilization is not None:
        return f"{value.average_utilization}%"
    if not value.average_value:
        return "unknown"
    amount = amount_of(value.average_value)
    if resource == "cpu":
        return f"{amount * 1000:.0f}m"
    return next((f"{amount / size:.0f}{unit}" for unit, size in _SIZES if amount >= size), f"{amount:.0f}")


def scaling_trouble(state: AutoscalerState) -> tuple[str, str]:
    """Return what keeps the number of pods from following the metrics, and a remedy; both empty where nothing does.

    Source: Kubernetes, pkg/controller/podautoscaler/horizontal.go: conditions AbleToScale and ScalingActive.
    """
    for kind in ("AbleToScale", "ScalingActive"):
        condition = state.condition(kind)
        if condition is not None and condition.status == "False" and condition.reason != "ScalingDisabled":
            said, remedy = _reason(condition.message)
            return f"it does not scale: {said}", remedy
    return "", ""


def _reason(message: str) -> tuple[str, str]:
    if "could not find the requested resource" in message:
        return NO_METRICS
    if "unable to handle the request" in message:
        return (
            "the cluster's metrics do not answer",
            "gedge verify tells why; kubectl -n kube-system describe pod -l app=metrics-server",
        )
    if "no metrics returned" in message or "did not receive metrics" in message:
        return (
            "nothing is measured of its pods yet",
            "wait: figures of new pods come after about a minute; else look at their nodes: kubectl top node",
        )
    if "missing request for" in message:
        return message, "something adds containers to the pods: give those a request, or write an amount as the target"
    return message, "gedge verify tells whether the cluster is well"
