"""Bringing a service onto a cluster and off it again: checks, server-side apply, waiting with reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from gedge_provision.adapters.kube import ConflictError, Kube, KubeError, NotFoundError, UnreachableError
from gedge_provision.adapters.tcp import answers
from gedge_provision.models.changes import Change
from gedge_provision.models.cluster import (
    AUTOSCALER,
    CONTROLLER_KINDS,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    SERVICE,
    Manifest,
    NodeState,
    PodState,
    ServiceState,
)
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.progress import SILENT, Reporter, step
from gedge_provision.models.service import Service
from gedge_provision.planning.autoscaler import Handover
from gedge_provision.planning.external_ports import check_external_ports, node_addresses, service_urls
from gedge_provision.planning.fit import check_fit
from gedge_provision.planning.manifests import (
    INVENTORY_LABEL,
    MANAGED,
    comparable,
    external_name,
    ingress_status,
    render,
)
from gedge_provision.planning.readiness import Readiness, Trouble
from gedge_provision.services import scaling
from gedge_provision.services.status import observe

__all__ = ["Applied", "apply_service", "delete_service"]

_POLL_S = 1.0
_PORT_S = 10.0
_LOG_LINES = 10
T = TypeVar("T")


@dataclass(frozen=True)
class _Plan:
    """Everything that an apply sends: objects, the actions they amount to, and the addresses of external ports."""

    manifests: tuple[Manifest, ...]
    handovers: Mapping[str, Handover]
    changes: tuple[Change, ...]
    addresses: tuple[str, ...]
    take_over: bool


@dataclass(frozen=True)
class Applied:
    """What an apply did, or with a dry run would do."""

    name: str
    namespace: str
    changes: tuple[Change, ...]
    urls: tuple[str, ...] = ()
    qos: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything differs from before."""
        return any(change.action != "unchanged" for change in self.changes)


def apply_service(  # noqa: PLR0913 - what, where and how long
    kube: Kube,
    service: Service,
    namespace: str = "default",
    reporter: Reporter = SILENT,
    *,
    timeout_s: float = 120,
    dry_run: bool = False,
    take_over: bool = False,
) -> Applied:
    """Make the cluster run a service as described, and wait until it is ready.

    Everything that can be refused is refused before the first object changes: a pod that no node can hold, an external
    port that another service has, and what the API server itself refuses in a dry run.

    Args:
        kube: the cluster.
        service: the service.
        namespace: where its objects live.
        reporter: receives the progress.
        timeout_s: seconds to wait for the service to be ready.
        dry_run: stop after the checks.
        take_over: overwrite what other field managers own.

    Raises:
        NotFittingError: no node can hold it.
        ConflictError: somebody else owns what this would change.
        GedgeError: an external port is taken, or the service does not get ready in time.
    """
    with step(reporter, f"check {service.name} against the cluster"):
        addresses = _check_cluster(kube, service, namespace)
        service, notes = scaling.within_fit(kube, service, namespace)
        plan = _plan(kube, service, namespace, addresses, take_over=take_over)
    for note in notes:
        reporter.note(note)
    if dry_run:
        return Applied(service.name, namespace, plan.changes)
    _carry_out(kube, service.name, namespace, plan, reporter)
    qos = _wait_ready(kube, service.name, namespace, reporter, timeout_s)
    published = [_service_state(item) for item in kube.find(SERVICE, namespace, labels={INVENTORY_LABEL: service.name})]
    urls = service_urls(published)
    _try_port(urls, reporter)
    return Applied(service.name, namespace, plan.changes, urls, qos)


def delete_service(
    kube: Kube, name: str, namespace: str = "default", reporter: Reporter = SILENT, *, timeout_s: float = 120
) -> bool:
    """Delete a service and wait until nothing of it is left but its volumes; return whether there was anything.

    Raises:
        GedgeError: something is still there after `timeout_s` seconds.
    """
    title = f"delete {name}"
    reporter.start(title)
    try:
        found = _belongings(kube, name, namespace)
        for item in found:
            kube.delete(CONTROLLER_KINDS[item["kind"]], namespace, item["metadata"]["name"])
        left = _until(
            lambda: _remains(kube, name, namespace), lambda rest: _tell_rest(reporter, title, rest), timeout_s
        )
    except BaseException:
        reporter.finish(title, "failed")
        raise
    if left:
        reporter.finish(title, "failed")
        raise GedgeError(
            f"after {timeout_s:g} s still there: {', '.join(left)}",
            place=f"{namespace}/{name}",
            remedy="a pod stays while its node is away: bring the node back or remove it, then delete again",
        )
    reporter.finish(title, "done" if found else "unchanged", "" if found else "nothing of it is there")
    _tell_volumes(kube, name, namespace, reporter)
    return bool(found)


def _tell_volumes(kube: Kube, name: str, namespace: str, reporter: Reporter) -> None:
    """Note the state that a deleted service leaves behind: its pods' own volumes."""
    claims = kube.find(PERSISTENT_VOLUME_CLAIM, namespace, labels={INVENTORY_LABEL: name})
    if claims:
        names = ", ".join(item["metadata"]["name"] for item in claims)
        reporter.note(
            f"volumes of {name} stay, with what is in them: {names} -> apply it again to use them, or destroy them:"
            f" kubectl -n {namespace} delete pvc -l {INVENTORY_LABEL}={name}"
        )


def _check_cluster(kube: Kube, service: Service, namespace: str) -> tuple[str, ...]:
    nodes = [NodeState.model_validate(item) for item in kube.find(NODE)]
    check_fit(service, nodes)
    addresses = node_addresses(nodes)
    if any(port.external_port for container in service.containers for port in container.ports):
        check_external_ports(service, namespace, [_service_state(item) for item in kube.find(SERVICE)], addresses)
    return addresses


def _plan(kube: Kube, service: Service, namespace: str, addresses: tuple[str, ...], *, take_over: bool) -> _Plan:
    """Let the API server compute every change without storing it: what it refuses, it refuses here."""
    manifests = render(service, namespace)
    changes, handovers = [], {}
    for manifest in manifests:
        before = _existing(kube, manifest, service.name)
        handover = scaling.plan_handover(kube, manifest, before, manifests)
        handovers[manifest["kind"]] = handover
        after = scaling.dry_apply(kube, manifest, before, handover, take_over=take_over)
        action = "created"
        if before is not None:
            same = comparable(before) == comparable(after)
            if manifest["metadata"]["name"] == external_name(service.name):
                same = same and _service_state(before).ingress_ips == addresses
            action = "unchanged" if same else "changed"
        changes.append(Change(manifest["kind"], manifest["metadata"]["name"], action))
    wanted = {(change.kind, change.name) for change in changes}
    changes += [
        Change(item["kind"], item["metadata"]["name"], "deleted")
        for item in _belongings(kube, service.name, namespace)
        if (item["kind"], item["metadata"]["name"]) not in wanted
    ]
    return _Plan(manifests, handovers, tuple(changes), addresses, take_over)


def _existing(kube: Kube, manifest: Manifest, name: str) -> Manifest | None:
    metadata = manifest["metadata"]
    try:
        found = kube.get(CONTROLLER_KINDS[manifest["kind"]], metadata["namespace"], metadata["name"])
    except NotFoundError:
        return None
    labels = found["metadata"].get("labels", {})
    if not labels.items() >= {**MANAGED, INVENTORY_LABEL: name}.items():
        raise ConflictError(
            f"a {manifest['kind']} of that name exists, and it is not part of this service; nothing was changed",
            place=f"{metadata['namespace']}/{metadata['name']}",
            remedy="give the service another name, or delete that object first",
        )
    return found


def _carry_out(kube: Kube, name: str, namespace: str, plan: _Plan, reporter: Reporter) -> None:
    title = f"apply {name}"
    reporter.start(title)
    try:
        if Change(AUTOSCALER.name, name, "deleted") in plan.changes:
            scaling.delete_autoscaler(kube, name, namespace)
        for manifest in plan.manifests:
            handover = plan.handovers[manifest["kind"]]
            scaling.apply_handed_over(kube, manifest, handover, take_over=plan.take_over)
            if manifest["metadata"]["name"] == external_name(name):
                status = ingress_status(external_name(name), namespace, plan.addresses)
                kube.apply(status, subresource="status", take_over=plan.take_over)
        for change in plan.changes:
            if change.action == "deleted":
                kube.delete(CONTROLLER_KINDS[change.kind], namespace, change.name)
    except BaseException:
        reporter.finish(title, "failed")
        raise
    told = [f"{change.kind} {change.name} {change.action}" for change in plan.changes if change.action != "unchanged"]
    reporter.finish(title, "done" if told else "unchanged", ", ".join(told))


def _wait_ready(kube: Kube, name: str, namespace: str, reporter: Reporter, timeout_s: float) -> tuple[str, ...]:
    """Wait until the service is ready and return the QoS classes of its pods."""
    title = f"wait until {name} is ready"

    def look() -> tuple[Readiness, tuple[PodState, ...]]:
        snapshot, readiness = observe(kube, namespace, name)
        keeps = f", {readiness.trouble.message.splitlines()[0]}" if readiness.trouble else ""
        reporter.update(title, f"{readiness.detail}{keeps}")
        return readiness, snapshot.pods

    reporter.start(title)
    try:
        readiness, pods = _until(look, lambda seen: not (seen[0].ready or _is_final(seen[0].trouble)), timeout_s)
    except KeyboardInterrupt:
        reporter.finish(title, "skipped")
        reporter.note(f"{name} is applied and goes on starting: gedge service status {name}")
        raise
    except BaseException:
        reporter.finish(title, "failed")
        raise
    if not readiness.ready:
        reporter.finish(title, "failed", readiness.detail)
        raise _not_ready(kube, namespace, name, readiness, timeout_s)
    reporter.finish(title, "done", readiness.detail)
    alive = [pod for pod in pods if pod.metadata.deletion_timestamp is None]
    return tuple(sorted({pod.status.qos_class for pod in alive}))


def _try_port(urls: Sequence[str], reporter: Reporter) -> None:
    """Wait a moment for the first TCP port: nodes learn of a published port a little later than the pod is ready."""
    url = next((url for url in urls if url.startswith("http://")), None)
    if url is None:
        return
    where = urlsplit(url)
    if not answers(where.hostname or "", where.port or 0, _PORT_S):
        reporter.note(
            f"{url} does not answer this machine within {_PORT_S:g} s, another one may have an answer"
            " -> look at routes and firewalls on the way, and whether the container listens on that port"
        )


def _not_ready(kube: Kube, namespace: str, name: str, readiness: Readiness, timeout_s: float) -> GedgeError:
    trouble = readiness.trouble
    if trouble is None:
        return GedgeError(
            f"not ready after {timeout_s:g} s: {readiness.detail}",
            place=f"{namespace}/{name}",
            remedy=f"it may just be slow: gedge service status {name}, or apply again with a longer --timeout",
        )
    message = trouble.message if trouble.final else f"not ready after {timeout_s:g} s: {trouble.message}"
    if trouble.crashed is not None:
        message += _last_words(kube, namespace, *trouble.crashed)
    return GedgeError(message, place=f"{namespace}/{name}", remedy=trouble.remedy)


def _last_words(kube: Kube, namespace: str, pod: str, container: str) -> str:
    for previous in (True, False):
        try:
            log = kube.pod_log(namespace, pod, container, lines=_LOG_LINES, previous=previous).strip()
        except KubeError:
            continue
        if log:
            return "\nits last words:" + "".join(f"\n  {line}" for line in log.splitlines())
    return "\nit printed nothing"


def _until(look: Callable[[], T], again: Callable[[T], bool], timeout_s: float) -> T:
    """Look every second until `again` says no or the time is over; a short absence of the API server is endured."""

    def last(state: RetryCallState) -> T:
        assert state.outcome is not None  # noqa: S101 - tenacity calls this after an attempt only
        result: T = state.outcome.result()
        return result

    clock = Retrying(
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(_POLL_S),
        retry=retry_if_result(again) | retry_if_exception_type(UnreachableError),
        retry_error_callback=last,
    )
    return clock(look)


def _is_final(trouble: Trouble | None) -> bool:
    return trouble is not None and trouble.final


def _belongings(kube: Kube, name: str, namespace: str) -> list[Manifest]:
    labels = {**MANAGED, INVENTORY_LABEL: name}
    found = []
    for kind in CONTROLLER_KINDS.values():
        with suppress(NotFoundError):  # clusters before Kubernetes 1.34 have no claims of devices
            found += kube.find(kind, namespace, labels=labels)
    return found


def _remains(kube: Kube, name: str, namespace: str) -> tuple[str, ...]:
    pods = kube.find(POD, namespace, labels={INVENTORY_LABEL: name})
    return tuple(f"{item['kind']} {item['metadata']['name']}" for item in _belongings(kube, name, namespace) + pods)


def _tell_rest(reporter: Reporter, title: str, rest: Sequence[str]) -> bool:
    if rest:
        reporter.update(title, f"waiting for {', '.join(rest)}")
    return bool(rest)


def _service_state(item: Manifest) -> ServiceState:
    return ServiceState.model_validate(item)
