"""What a mesh has in a cluster: found by its labels, and deleted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from gedge_provision.adapters.kube import Kube, NotFoundError, UnreachableError
from gedge_provision.models.cluster import CONTROLLER_KINDS, MESH_KINDS, Manifest
from gedge_provision.models.errors import GedgeError
from gedge_provision.planning.manifests import INVENTORY_LABEL, MANAGED
from gedge_provision.planning.mesh import MESH_LABEL

__all__ = ["belongings", "delete_objects", "found", "labelled", "service_names"]

_POLL_S = 1.0
_KINDS = CONTROLLER_KINDS | MESH_KINDS


def belongings(kube: Kube, name: str, namespace: str) -> list[Manifest]:
    """Return the objects of a mesh, those of its services too."""
    return [item for kind in _KINDS for item in found(kube, name, namespace, kind)]


def found(kube: Kube, name: str, namespace: str, kind: str) -> list[Manifest]:
    """Return the objects of a mesh of one kind."""
    return labelled(kube, kind, namespace, {MESH_LABEL: name})


def labelled(kube: Kube, kind: str, namespace: str, labels: dict[str, str]) -> list[Manifest]:
    """Return objects of ours with these labels; none where the cluster does not know the kind."""
    with suppress(NotFoundError):
        return kube.find(_KINDS[kind], namespace, labels={**MANAGED, **labels})
    return []


def service_names(items: Sequence[Manifest]) -> tuple[str, ...]:
    """Return the services that objects belong to."""
    names = (item["metadata"]["labels"].get(INVENTORY_LABEL) for item in items)
    return tuple(sorted({name for name in names if name}))


def delete_objects(kube: Kube, namespace: str, items: Sequence[Manifest], timeout_s: float) -> None:
    """Delete objects and wait until they are gone; a short absence of the API server is endured.

    Raises:
        GedgeError: one is still there after `timeout_s` seconds.
    """
    for item in items:
        kube.delete(MESH_KINDS[item["kind"]], namespace, item["metadata"]["name"])

    def left() -> list[str]:
        return [f"{item['kind']} {item['metadata']['name']}" for item in items if _is_there(kube, namespace, item)]

    clock = Retrying(
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(_POLL_S),
        retry=retry_if_result(bool) | retry_if_exception_type(UnreachableError),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else [],
    )
    rest = clock(left)
    if rest:
        raise GedgeError(
            f"after {timeout_s:g} s still there: {', '.join(rest)}",
            place=namespace,
            remedy="a controller holds it by a finalizer: see to that controller, then delete again",
        )


def _is_there(kube: Kube, namespace: str, item: Manifest) -> bool:
    try:
        found = kube.get(MESH_KINDS[item["kind"]], namespace, item["metadata"]["name"])
    except NotFoundError:
        return False
    return bool(found["metadata"].get("uid") == item["metadata"].get("uid"))
