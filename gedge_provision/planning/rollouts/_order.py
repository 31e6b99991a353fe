"""In which order services are begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from gedge_provision.models.errors import UsageError
from gedge_provision.models.service import Service

__all__ = ["dependency_order"]


def dependency_order(services: Sequence[Service]) -> Mapping[str, tuple[str, ...]]:
    """Return the services in an order in which none stands before what it depends on, each with what that is.

    Raises:
        UsageError: two have one name, or services wait for one another in a circle.
    """
    wanted: dict[str, tuple[str, ...]] = {}
    for service in services:
        if service.name in wanted:
            raise UsageError(
                f"two documents describe service {service.name}",
                remedy="give one of them another name, or apply them one by one, each to its --namespace",
            )
        wanted[service.name] = service.depends_on
    try:
        order = TopologicalSorter(wanted).static_order()
        return {name: wanted[name] for name in order if name in wanted}
    except CycleError as error:
        circle = " waits for ".join(reversed(error.args[1]))
        raise UsageError(
            f"services wait for one another: {circle}", remedy="take one of them out of a dependsOn"
        ) from error
