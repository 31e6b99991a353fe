"""The history of services: their revisions, and what differs between two."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gedge_provision.adapters.kube import Kube, NotFoundError
from gedge_provision.models.errors import UsageError
from gedge_provision.models.rollouts import Revision
from gedge_provision.models.service import Service
from gedge_provision.planning import rollouts
from gedge_provision.services.records import Records

__all__ = [
    "HistoryLine",
    "kept_revisions",
    "numbered",
    "read_diff",
    "read_history",
    "running_service",
    "wanted_service",
]


@dataclass(frozen=True)
class HistoryLine:
    """A revision in the history of a service.

    Attributes:
        number: 1 is the first.
        state: see `models.rollouts.RevisionState`.
        strategy: rolling, canary 20%, blue-green.
        created: when it was applied first.
        runs: whether it is what runs.
        reason: why it failed.
        differences: what differs from the revision before it; empty for the first one that is kept.
    """

    number: int
    state: str
    strategy: str
    created: datetime | None
    runs: bool
    reason: str
    differences: tuple[str, ...]


def read_history(kube: Kube, name: str, namespace: str = "default") -> tuple[HistoryLine, ...]:
    """Return the revisions of a service that are kept, oldest first.

    Raises:
        NotFoundError: there is none.
    """
    records = Records(kube, namespace)
    revisions = kept_revisions(records, name, namespace)
    running = rollouts.current(revisions)
    contents = [records.content(one) for one in revisions]
    lines = []
    for index, (one, content) in enumerate(zip(revisions, contents, strict=True)):
        differs = rollouts.differences(contents[index - 1], content) if index else ()
        lines.append(
            HistoryLine(one.number, one.state, str(one.strategy), one.created, one == running, one.reason, differs)
        )
    return tuple(lines)


def read_diff(
    kube: Kube, name: str, namespace: str = "default", *, old: int | None = None, new: int | None = None
) -> str:
    """Return the difference between the manifests of two revisions, as diff -u prints it; empty when there is none.

    Args:
        kube: the cluster.
        name: the service.
        namespace: where it is.
        old: number of the one; the one before `new` if left out.
        new: number of the other; the newest if left out.

    Raises:
        NotFoundError: there is no such service.
        UsageError: a revision is not kept.
    """
    records = Records(kube, namespace)
    revisions = kept_revisions(records, name, namespace)
    other = numbered(revisions, new, name) if new is not None else revisions[-1]
    earlier = [one for one in revisions if one.number < other.number]
    if old is None and not earlier:
        raise UsageError(f"revision {other.number} is the first that is kept: there is none before it", place=name)
    one = numbered(revisions, old, name) if old is not None else earlier[-1]
    titles = (f"{name} revision {one.number}", f"{name} revision {other.number}")
    return rollouts.unified(records.content(one).manifests, records.content(other).manifests, titles)


def running_service(kube: Kube, name: str, namespace: str = "default") -> Service:
    """Return the document of the revision that runs, with everything that was added to it.

    Raises:
        NotFoundError: there is no such service.
        UsageError: none of its revisions was ever ready.
    """
    records = Records(kube, namespace)
    running = rollouts.current(kept_revisions(records, name, namespace))
    if running is None:
        raise UsageError(
            "none of its revisions was ever ready", place=f"{namespace}/{name}", remedy="apply its document"
        )
    return records.content(running).service


def wanted_service(kube: Kube, name: str, namespace: str = "default") -> tuple[Revision, Service]:
    """Return the revision that a service is to have, and its document: the newest that did not fail.

    Raises:
        NotFoundError: there is no such service.
    """
    records = Records(kube, namespace)
    revisions = kept_revisions(records, name, namespace)
    wanted = [one for one in revisions if one.state not in {"failed", "going back", "superseded"}]
    revision = (wanted or revisions)[-1]
    return revision, records.content(revision).service


def kept_revisions(records: Records, name: str, namespace: str) -> tuple[Revision, ...]:
    """Return the revisions of a service that are kept, oldest first.

    Raises:
        NotFoundError: there is none.
    """
    revisions = records.of([name]).get(name)
    if not revisions:
        raise NotFoundError(
            "no revision of such a service",
            place=f"{namespace}/{name}",
            remedy="gedge service list --all-namespaces shows what there is",
        )
    return revisions


def numbered(revisions: tuple[Revision, ...], number: int, name: str) -> Revision:
    """Return the revision of a number.

    Raises:
        UsageError: it is not kept.
    """
    for one in revisions:
        if one.number == number:
            return one
    kept = ", ".join(str(one.number) for one in revisions)
    raise UsageError(f"revision {number} is not kept", place=name, remedy=f"choose one of {kept}")
