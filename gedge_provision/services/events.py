"""What Kubernetes reported of the objects of a service, oldest first."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gedge_provision.adapters.kube import Kube
from gedge_provision.models.cluster import EVENT, POD, REPLICA_SET, Manifest
from gedge_provision.planning.manifests import INVENTORY_LABEL
from gedge_provision.services.status import observe

__all__ = ["EventLine", "read_events"]


@dataclass(frozen=True)
class EventLine:
    """An event.

    Attributes:
        time: when it was seen last, RFC 3339.
        type: Normal or Warning.
        reason: a word: FailedScheduling.
        message: a sentence.
        object: what it is about: Pod app-5d9c7-x2x9z.
        count: how often it was seen.
    """

    time: str
    type: str
    reason: str
    message: str
    object: str
    count: int


def read_events(kube: Kube, namespace: str, name: str) -> tuple[EventLine, ...]:
    """Return the events of a service's objects that the cluster still has, oldest first.

    Raises:
        NotFoundError: there is no such service.
    """
    observe(kube, namespace, name)
    labels = {INVENTORY_LABEL: name}
    sets = [str(item["metadata"]["name"]) for item in kube.each(REPLICA_SET, namespace, labels=labels)]
    pods = {str(item["metadata"]["name"]) for item in kube.each(POD, namespace, labels=labels)}
    # Pods that are gone are known by what made them.
    gone = re.compile("|".join([*(rf"{re.escape(one)}-\w+" for one in sets), rf"{re.escape(name)}-\d+"]))
    own = {name, *sets, *pods}
    lines = []
    for item in kube.each(EVENT, namespace):
        about = item.get("involvedObject", {})
        subject = str(about.get("name", ""))
        if subject in own or (about.get("kind") == POD.name and gone.fullmatch(subject)):
            lines.append(_line(item, f"{about.get('kind', '')} {subject}"))
    return tuple(sorted(lines, key=lambda line: line.time))


def _line(item: Manifest, subject: str) -> EventLine:
    series = item.get("series") or {}
    time = item.get("lastTimestamp") or series.get("lastObservedTime") or item.get("eventTime")
    return EventLine(
        str(time or item["metadata"].get("creationTimestamp") or ""),
        str(item.get("type", "")),
        str(item.get("reason", "")),
        str(item.get("message", "")).strip(),
        subject,
        int(item.get("count") or series.get("count") or 1),
    )
