"""What is said of a rollout that failed."""

from __future__ import annotations

from gedge_provision.adapters.kube import Kube, KubeError, UnreachableError
from gedge_provision.models.errors import GedgeError
from gedge_provision.planning.readiness import Readiness, Trouble

__all__ = ["cut_off", "not_ready", "stuck"]

_LOG_LINES = 10


def not_ready(kube: Kube, place: str, readiness: Readiness, trouble: Trouble | None, timeout_s: float) -> GedgeError:
    """Say why a service is not ready, with the last words of what crashed.

    Args:
        kube: the cluster.
        place: namespace and name of the service.
        readiness: how far it is.
        trouble: what keeps it, if that is known.
        timeout_s: seconds without headway after which it has failed.
    """
    late = f"not ready after {timeout_s:g} s without headway"
    if trouble is None:
        name = place.partition("/")[2]
        remedy = f"it may just be slow: gedge service status {name}, or apply again with a longer --timeout"
        return GedgeError(f"{late}: {readiness.detail}", place=place, remedy=remedy)
    message = trouble.message if trouble.final else f"{late}: {trouble.message}"
    if trouble.crashed is not None:
        message += _last_words(kube, place.partition("/")[0], *trouble.crashed)
    return GedgeError(message, place=place, remedy=trouble.remedy)


def stuck(place: str, first: GedgeError, second: GedgeError) -> GedgeError:
    """Say that what ran before does not come back either."""
    return GedgeError(
        f"{first.message}\nand what ran before does not come back: {second.message}",
        place=place,
        remedy=second.remedy or f"gedge service resume {place.partition('/')[2]} tries again",
    )


def cut_off(name: str, error: KubeError) -> UnreachableError:
    """Say that the API server was not reached for too long."""
    remedy = f"{error.remedy}; then gedge service resume {name}"
    return UnreachableError(f"{error.message}; what was sent goes on in the cluster", place=error.place, remedy=remedy)


def _last_words(kube: Kube, namespace: str, pod: str, container: str) -> str:
    for previous in (True, False):
        try:
            log = kube.pod_log(namespace, pod, container, lines=_LOG_LINES, previous=previous).strip()
        except KubeError:
            continue
        if log:
            return "\nits last words:" + "".join(f"\n  {line}" for line in log.splitlines())
    return "\nit printed nothing"
