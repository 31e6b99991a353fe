"""The namespace of a run: one run at a time on a cluster, and nothing left of those that were killed."""

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
from gedge_provision.planning import perf as planning
from gedge_provision.planning.manifests import MANAGED

__all__ = ["own_space"]

_PAUSE_S = 0.5
_GONE_S = 180.0
_ACCOUNT_S = 30.0
_AWAY_S = 60.0


@contextmanager
def own_space(
    kube: Kube, pairs: tuple[planning.Pair, ...], folder: Path, limit_s: float, reporter: Reporter
) -> Iterator[None]:
    """Hold the cluster's namespace of measurements for the body; it is deleted with all that is in it.

    Args:
        kube: the cluster.
        pairs: the pods that will be in it.
        folder: where this machine keeps the site's measurements; the caller holds it.
        limit_s: seconds after which the run has ended for certain.
        reporter: receives the progress.

    Raises:
        GedgeError: another run has it, or what is left of one does not go away.
    """
    by = f"{platform.node()}:{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    _clear(kube, by, reporter)
    until = (datetime.now(UTC) + timedelta(seconds=limit_s)).isoformat(timespec="seconds")
    try:
        _claim(kube, planning.namespace(pairs, by, until))
        _wait_for_account(kube)
        yield
    finally:
        with step(reporter, "Remove probe pods"):
            _remove_if_ours(kube, by)


def _claim(kube: Kube, manifest: Manifest) -> None:
    try:
        kube.create(NAMESPACE, manifest)
    except ConflictError as error:
        place = f"namespace {planning.NAMESPACE}"
        raise GedgeError("another run has just begun on this cluster", place=place, remedy="wait for it") from error


def _clear(kube: Kube, by: str, reporter: Reporter) -> None:
    found = _get(kube)
    if found is None:
        return
    metadata = found["metadata"]
    notes = metadata.get("annotations", {})
    if not metadata.get("labels", {}).items() >= MANAGED.items() or planning.BY not in notes:
        raise GedgeError(
            "the cluster has a namespace of this name that is not ours; nothing was changed",
            place=f"namespace {planning.NAMESPACE}",
            remedy="delete it, if nobody needs it",
        )
    until = datetime.fromisoformat(notes.get(planning.UNTIL, "1970-01-01T00:00:00+00:00"))
    if notes[planning.BY] != by and datetime.now(UTC) < until and not metadata.get("deletionTimestamp"):
        raise GedgeError(
            f"{notes[planning.BY].partition(':')[0]} measures on this cluster, at most until {until:%H:%M:%S} UTC",
            place=f"namespace {planning.NAMESPACE}",
            remedy=f"wait for it; if it was killed: kubectl delete namespace {planning.NAMESPACE}",
        )
    with step(reporter, "Remove what a former run left"):
        _delete(kube)


@retry(
    retry=retry_if_exception_type(UnreachableError), stop=stop_after_delay(_AWAY_S), wait=wait_fixed(1), reraise=True
)
def _remove_if_ours(kube: Kube, by: str) -> None:
    """Delete the namespace, unless it is another run's; an API server that is away for a moment is waited for."""
    found = _get(kube)
    if found is not None and found["metadata"].get("annotations", {}).get(planning.BY) == by:
        _delete(kube)


def _delete(kube: Kube) -> None:
    end = time.monotonic() + _GONE_S
    kube.delete(NAMESPACE, "", planning.NAMESPACE)
    while _get(kube) is not None:
        if time.monotonic() > end:
            raise GedgeError(
                f"the namespace is still there after {_GONE_S:g} s",
                place=f"namespace {planning.NAMESPACE}",
                remedy="a pod stays while its node is away; the namespace goes by itself when the node is back",
            )
        time.sleep(_PAUSE_S)


def _get(kube: Kube) -> Manifest | None:
    try:
        return kube.get(NAMESPACE, "", planning.NAMESPACE)
    except NotFoundError:
        return None


def _wait_for_account(kube: Kube) -> None:
    """Wait for the service account without which no pod is admitted; the controller manager makes it."""
    end = time.monotonic() + _ACCOUNT_S
    while True:
        try:
            kube.get(SERVICE_ACCOUNT, planning.NAMESPACE, "default")
        except NotFoundError as error:
            if time.monotonic() > end:
                raise KubeError(
                    "the new namespace gets no service account",
                    place=f"namespace {planning.NAMESPACE}",
                    remedy="check kube-controller-manager: gedge verify",
                ) from error
            time.sleep(_PAUSE_S)
        else:
            return
