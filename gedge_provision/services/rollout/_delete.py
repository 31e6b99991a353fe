"""Taking a service off a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from gedge_provision.adapters.kube import Kube, NotFoundError, UnreachableError
from gedge_provision.models.cluster import CONTROLLER_KINDS, PERSISTENT_VOLUME_CLAIM, POD, Manifest
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.planning.manifests import INVENTORY_LABEL, MANAGED
from gedge_provision.planning.rollouts import TRIAL_OF
from gedge_provision.services.namespaces import check_namespace
from gedge_provision.services.records import Records

__all__ = ["delete_service"]

_POLL_S = 1.0
_SHOWN = 5


def delete_service(
    kube: Kube, name: str, namespace: str = "default", reporter: Reporter = SILENT, *, timeout_s: float = 120
) -> bool:
    """Delete a service, its trials and revisions, and wait until nothing of it is left but its volumes.

    Returns:
        whether there was anything.

    Raises:
        UsageError: it is the trial of a service, or the namespace is not there.
        GedgeError: something is still there after `timeout_s` seconds.
    """
    title = f"delete {name}"
    records = Records(kube, namespace)
    reporter.start(title)
    try:
        revisions = records.of([name]).get(name, ())
        found = _belongings(kube, name, namespace)
        if not found and not revisions:
            check_namespace(kube, namespace)
        _refuse_trial(found, name, namespace)
        for item in found:
            kube.delete(CONTROLLER_KINDS[item["kind"]], namespace, item["metadata"]["name"])
        left = _wait(kube, name, namespace, reporter, title, timeout_s)
        if not left:
            records.forget(revisions)
    except BaseException:
        reporter.finish(title, "failed")
        raise
    if left:
        reporter.finish(title, "failed")
        raise GedgeError(
            f"after {timeout_s:g} s still there: {_listed(left)}",
            place=f"{namespace}/{name}",
            remedy="a pod stays while its node is away: bring the node back or remove it, then delete again",
        )
    there = bool(found or revisions)
    reporter.finish(title, "done" if there else "unchanged", "" if there else "nothing of it is there")
    _tell_volumes(kube, name, namespace, reporter)
    return there


def _refuse_trial(found: Sequence[Manifest], name: str, namespace: str) -> None:
    for item in found:
        service = item["metadata"]["labels"].get(TRIAL_OF, name)
        if service != name:
            raise UsageError(
                f"this is the trial of service {service}",
                place=f"{namespace}/{name}",
                remedy=f"end it: gedge service rollback {service}, or gedge service promote {service}",
            )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def _belongings(kube: Kube, name: str, namespace: str) -> list[Manifest]:
    found = []
    for kind in CONTROLLER_KINDS.values():
        for label in (INVENTORY_LABEL, TRIAL_OF):
            with suppress(NotFoundError):  # clusters before Kubernetes 1.34 have no claims of devices
                found += kube.find(kind, namespace, labels={**MANAGED, label: name})
    return found


def _remains(kube: Kube, name: str, namespace: str) -> tuple[str, ...]:
    pods = [item for label in (INVENTORY_LABEL, TRIAL_OF) for item in kube.find(POD, namespace, labels={label: name})]
    return tuple(f"{item['kind']} {item['metadata']['name']}" for item in _belongings(kube, name, namespace) + pods)


def _wait(  # noqa: PLR0913, PLR0917 - of what, where, how long, and who is told
    kube: Kube, name: str, namespace: str, reporter: Reporter, title: str, timeout_s: float
) -> tuple[str, ...]:
    """Look every second until nothing is left or the time is over; a short absence of the API server is endured."""

    def last(state: RetryCallState) -> tuple[str, ...]:
        assert state.outcome is not None  # noqa: S101 - tenacity calls this after an attempt only
        result: tuple[str, ...] = state.outcome.result()
        return result

    def tell(rest: Sequence[str]) -> bool:
        if rest:
            reporter.update(title, f"waiting for {_listed(rest)}")
        return bool(rest)

    clock = Retrying(
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(_POLL_S),
        retry=retry_if_result(tell) | retry_if_exception_type(UnreachableError),
        retry_error_callback=last,
    )
    return clock(lambda: _remains(kube, name, namespace))


def _tell_volumes(kube: Kube, name: str, namespace: str, reporter: Reporter) -> None:
    """Note the state that a deleted service leaves behind: its pods' own volumes."""
    claims = kube.find(PERSISTENT_VOLUME_CLAIM, namespace, labels={INVENTORY_LABEL: name})
    if claims:
        names = ", ".join(item["metadata"]["name"] for item in claims)
        reporter.note(
            f"volumes of {name} stay, with what is in them: {names} -> apply it again to use them, or destroy them:"
            f" kubectl -n {namespace} delete pvc -l {INVENTORY_LABEL}={name}"
        )
