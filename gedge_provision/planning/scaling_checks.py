"""What must hold of a service whose number of pods follows what they use. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.service import Metric, Scaling, Service
from gedge_provision.planning.acceleration import plan_resources

__all__ = ["check_scaling"]

_PATH: Path = ("service", "scaling")


def check_scaling(service: Service) -> Iterator[Problem]:
    """Yield what is wrong with the scaling of a service whose fields are valid one by one."""
    scaling = service.scaling
    if scaling is None:
        return
    if "replicas" in service.model_fields_set:
        yield Problem(
            ("service", "replicas"),
            "replicas and scaling both say how many pods there are",
            "leave one out; with scaling, min and max are the bounds",
        )
    if scaling.min > scaling.max:
        yield Problem(
            (*_PATH, "max"), f"max {scaling.max} is less than min {scaling.min}", "write the greater number as max"
        )
    yield from _metrics(service, scaling)


def _metrics(service: Service, scaling: Scaling) -> Iterator[Problem]:
    names = service.container_names()
    seen: dict[tuple[str, str | None], int] = {}
    for index, metric in enumerate(scaling.metrics):
        path = (*_PATH, "metrics", index)
        key = metric.resource, metric.container
        if key in seen:
            of = f"{metric.resource} of {metric.container or 'the pod'}"
            yield Problem((*path, metric.resource), f"{of} stands in metrics[{seen[key]}] too", "keep one target")
        seen.setdefault(key, index)
        if metric.container is not None and metric.container not in names:
            yield Problem(
                (*path, "container"),
                f"no container has the name {metric.container}",
                f"name one of {', '.join(names)}, or leave it out to count the whole pod",
            )
        else:
            yield from _request(service, path, metric)


def _request(service: Service, path: Path, metric: Metric) -> Iterator[Problem]:
    """Yield a request that is missing where a part of it is the target.

    Source: Kubernetes, pkg/controller/podautoscaler/replica_calculator.go, calculatePodRequests: a pod with a
    container that asks for none of the resource makes the whole metric fail. (A limit alone is a request too.)
    """
    if metric.percent is None:
        return
    planned = zip(service.container_names(), plan_resources(service), strict=True)
    counted = [(name, one) for name, one in planned if metric.container in (None, name)]
    without = [name for name, one in counted if metric.resource not in one.requests | one.limits]
    if without:
        amount = "200m" if metric.resource == "cpu" else "500Mi"
        yield Problem(
            (*path, metric.resource),
            f"{metric.target} of no request: {', '.join(without)} requests no {metric.resource}",
            f"add {metric.resource} to its requests, or write an amount for each pod, like {amount}",
        )
