"""The logs of a service's pods, as they come."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from gedge_provision.adapters.kube import Kube, KubeError, LogPieces, NotFoundError
from gedge_provision.models.cluster import POD
from gedge_provision.models.errors import UsageError
from gedge_provision.planning.manifests import INVENTORY_LABEL
from gedge_provision.services.status import observe

__all__ = ["PodLog", "follow_log"]


@dataclass(frozen=True)
class PodLog:
    """A log that is being read.

    Attributes:
        pod: of which pod.
        container: of which container.
        pieces: what it says, in pieces of any size; the first is waited for when it is asked for.
    """

    pod: str
    container: str
    pieces: LogPieces


def follow_log(  # noqa: PLR0913 - of what, and how much
    kube: Kube,
    name: str,
    namespace: str = "default",
    *,
    pod: str | None = None,
    container: str | None = None,
    lines: int = 100,
    follow: bool = False,
    previous: bool = False,
    limit_s: float = 60,
) -> PodLog:
    """Return the end of the log of a service's pod, and with `follow` what comes after it.

    Args:
        kube: the cluster.
        name: the service.
        namespace: where it is.
        pod: the pod; the first by name if left out.
        container: the container; the first of the pod if left out.
        lines: how many lines of what was said before.
        follow: go on until the container ends.
        previous: of the run before the present one.
        limit_s: seconds without a word after which it ends.

    Raises:
        NotFoundError: there is no such service, pod or container, or the service has no pod.
        UsageError: the container has not started, or (`previous`) was not restarted.
    """
    observe(kube, namespace, name)
    found = {item["metadata"]["name"]: item for item in kube.each(POD, namespace, labels={INVENTORY_LABEL: name})}
    if not found:
        raise NotFoundError("the service has no pod", place=f"{namespace}/{name}", remedy="see its status")
    chosen = pod or min(found)
    if chosen not in found:
        raise NotFoundError(
            f"the service has no pod {chosen}", place=f"{namespace}/{name}", remedy=f"choose {', '.join(sorted(found))}"
        )
    spec = found[chosen]["spec"]
    names = [str(one["name"]) for part in ("containers", "initContainers") for one in spec.get(part) or ()]
    wanted = container or names[0]
    if wanted not in names:
        raise NotFoundError(
            f"the pod has no container {wanted}", place=f"{namespace}/{chosen}", remedy=f"choose {', '.join(names)}"
        )
    query = {"container": wanted, "tailLines": str(lines), "previous": _flag(previous), "follow": _flag(follow)}
    try:
        pieces = kube.follow_log(namespace, chosen, query, limit_s)
    except KubeError as error:
        if error.status != HTTPStatus.BAD_REQUEST:
            raise
        raise UsageError(
            "the container has no log: it has not started" if not previous else "the container was not restarted",
            place=f"{namespace}/{chosen}",
            remedy=f"gedge service status {name} tells what keeps it" if not previous else "leave previous out",
        ) from error
    return PodLog(chosen, wanted, pieces)


def _flag(value: bool) -> str:
    return str(value).lower()
