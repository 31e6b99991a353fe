"""A namespace of probe pods: one run at a time on a cluster, and nothing left of those that were killed."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from gedge_provision.adapters.kube import ConflictError, Kube, KubeError, NotFoundError, UnreachableError
from gedge_provision.models.cluster import NAMESPACE, SERVICE_ACCOUNT, Manifest
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.progress import Reporter, step
from gedge_provision.planning.manifests import MANAGED
from gedge_provision.planning.own_pods import OwnSpace

__all__ = ["own_space"]

_PAUSE_S = 0.5
_GONE_S, _SLOW_GONE_S = 180.0, 600.0
_ACCOUNT_S = 30.0
_AWAY_S = 60.0


@contextmanager
def own_space(  # noqa: PLR0913 - the parts of a run
    kube: Kube, space: OwnSpace, folder: Path, limit_s: float, reporter: Reporter, *, slow: bool
) -> Iterator[None]:
    """Hold a namespace of the cluster for the body; it is deleted with all that is in it.

    Args:
        kube: the cluster.
        space: the namespace.
        folder: a folder of this machine that tells the site; the caller holds it.
        limit_s: seconds after which the run has ended for certain.
        reporter: receives the progress, and what keeps the namespace when the body failed: its own error goes first.
        slow: whether its nodes are emulated: twelve pods take more than three minutes to go away there.

    Raises:
        GedgeError: another run has it, or what is left of one does not go away.
    """
    gone_s = _SLOW_GONE_S if slow else _GONE_S
    by = f"{platform.node()}:{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    _clear(kube, space, by, gone_s, reporter)
    until = (datetime.now(UTC) + timedelta(seconds=limit_s)).isoformat(timespec="seconds")
    try:
        _claim(kube, space, by, until)
        _wait_for_account(kube, space)
        yield
    except BaseException:
        try:
            _remove(kube, space, by, gone_s, reporter)
        except GedgeError as error:
            reporter.note(str(error).replace("\n", " "))
        raise
    _remove(kube, space, by, gone_s, reporter)


def _remove(kube: Kube, space: OwnSpace, by: str, gone_s: float, reporter: Reporter) -> None:
    with step(reporter, "Remove probe pods"):
        _remove_if_ours(kube, space, by, gone_s)


def _claim(kube: Kube, space: OwnSpace, by: str, until: str) -> None:
    try:
        kube.create(NAMESPACE, space.manifest(by, until))
    except ConflictError as error:
        raise GedgeError(
            "another run has just begun on this cluster", place=space.place, remedy="wait for it"
        ) from error


def _clear(kube: Kube, space: OwnSpace, by: str, gone_s: float, reporter: Reporter) -> None:
    found = _get(kube, space)
    if found is None:
        return
    metadata = found["metadata"]
    notes = metadata.get("annotations", {})
    if not metadata.get("labels", {}).items() >= MANAGED.items() or space.by not in notes:
        raise GedgeError(
            "the cluster has a namespace of this name that is not ours; nothing was changed",
            place=space.place,
            remedy="delete it, if nobody needs it",
        )
    until = datetime.fromisoformat(notes.get(space.until, "1970-01-01T00:00:00+00:00"))
    if notes[space.by] != by and datetime.now(UTC) < until and not metadata.get("deletionTimestamp"):
        raise GedgeError(
            f"{notes[space.by].partition(':')[0]} {space.doing} on this cluster, at most until {until:%H:%M:%S} UTC",
            place=space.place,
            remedy=f"wait for it; if it was killed: kubectl delete namespace {space.name}",
        )
    with step(reporter, "Remove what a former run left"):
        _delete(kube, space, gone_s)


@retry(
    retry=retry_if_exception_type(UnreachableError), stop=stop_after_delay(_AWAY_S), wait=wait_fixed(1), reraise=True
)
def _remove_if_ours(kube: Kube, space: OwnSpace, by: str, gone_s: float) -> None:
    """Delete the namespace, unless it is another run's; an API server that is away for a moment is waited for."""
    found = _get(kube, space)
    if found is not None and found["metadata"].get("annotations", {}).get(space.by) == by:
        _delete(kube, space, gone_s)


def _delete(kube: Kube, space: OwnSpace, gone_s: float) -> None:
    end = time.monotonic() + gone_s
    kube.delete(NAMESPACE, "", space.name)
    while _get(kube, space) is not None:
        if time.monotonic() > end:
            raise GedgeError(
                f"the namespace is still there after {gone_s:g} s",
                place=space.place,
                remedy="a pod stays while its node is away; the namespace goes by itself when the node is back",
            )
        time.sleep(_PAUSE_S)


def _get(kube: Kube, space: OwnSpace) -> Manifest | None:
    try:
        return kube.get(NAMESPACE, "", space.name)
    except NotFoundError:
        return None


def _wait_for_account(kube: Kube, space: OwnSpace) -> None:
    """Wait for the service account without which no pod is admitted; the controller manager makes it."""
    end = time.monotonic() + _ACCOUNT_S
    while True:
        try:
            kube.get(SERVICE_ACCOUNT, space.name, "default")
        except NotFoundError as error:
            if time.monotonic() > end:
                raise KubeError(
                    "the new namespace gets no service account",
                    place=space.place,
                    remedy="check kube-controller-manager: gedge verify",
                ) from error
            time.sleep(_PAUSE_S)
        else:
            return
