"""How revisions are kept in a cluster: one immutable ConfigMap each, whose annotations say how far it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import get_args

from gedge_provision.models.cluster import CONFIG_MAP, Manifest, Metadata
from gedge_provision.models.rollouts import Content, Revision, RevisionState, Strategy, Way
from gedge_provision.models.service import Service
from gedge_provision.planning.manifests import MANAGED, REVISION

__all__ = [
    "KEPT",
    "REVISION_OF",
    "before",
    "content_of",
    "current",
    "digest_of",
    "read_revision",
    "revision_manifest",
    "revision_name",
    "surplus",
    "told_state",
]

REVISION_OF = "gedge.dev/revision-of"
"""Label of a revision: the name of its service."""

KEPT = 10
"""So many revisions of a service are kept; the one that runs always."""

_STATE, _REASON, _WAY, _PERCENT, _DIGEST = (
    f"gedge.dev/{word}" for word in ("state", "reason", "strategy", "percent", "digest")
)
_MOST_REASON = 1000
_STATES: dict[str, RevisionState] = {state: state for state in get_args(RevisionState)}
_WAYS: dict[str, Way] = {way: way for way in get_args(Way)}


def revision_name(service: str, number: int) -> str:
    """Return the name of a revision's object."""
    return f"{service}-revision-{number}"


def digest_of(manifests: Sequence[Manifest]) -> str:
    """Return what is equal for equal manifests."""
    return sha256(json.dumps(manifests, sort_keys=True).encode()).hexdigest()


def revision_manifest(namespace: str, number: int, content: Content, strategy: Strategy) -> Manifest:
    """Return the object that keeps a revision whose rollout begins."""
    service = content.service
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.name,
        "metadata": {
            "name": revision_name(service.name, number),
            "namespace": namespace,
            "labels": {**MANAGED, REVISION_OF: service.name, REVISION: str(number)},
            "annotations": {
                _STATE: "rolling out",
                _WAY: strategy.way,
                _PERCENT: str(strategy.percent),
                _DIGEST: digest_of(content.manifests),
            },
        },
        "immutable": True,
        "data": {
            "service": _text(service.model_dump(mode="json", by_alias=True, exclude_defaults=True)),
            "manifests": _text(content.manifests),
        },
    }


def told_state(state: RevisionState, reason: str = "") -> dict[str, str | None]:
    """Return the annotations that say how far a revision is, None for one that goes."""
    return {_STATE: state, _REASON: reason[:_MOST_REASON] or None}


def read_revision(item: Manifest) -> Revision:
    """Return a revision from its object, of which the metadata is enough."""
    metadata = Metadata.model_validate(item["metadata"])
    told = metadata.annotations
    return Revision(
        service=metadata.labels[REVISION_OF],
        number=int(metadata.labels[REVISION]),
        state=_STATES.get(told.get(_STATE, ""), "superseded"),
        strategy=Strategy(_WAYS.get(told.get(_WAY, ""), "rolling"), int(told.get(_PERCENT, "0"))),
        reason=told.get(_REASON, ""),
        digest=told.get(_DIGEST, ""),
        created=metadata.creation_timestamp,
    )


def content_of(item: Manifest) -> Content:
    """Return the content of a revision from its whole object."""
    data = item["data"]
    return Content(Service.model_validate_json(data["service"]), tuple(json.loads(data["manifests"])))


def current(revisions: Iterable[Revision]) -> Revision | None:
    """Return the revision that runs: the newest good one."""
    return max((one for one in revisions if one.state == "good"), key=lambda one: one.number, default=None)


def before(revisions: Sequence[Revision]) -> Revision | None:
    """Return the good revision before the one that runs."""
    running = current(revisions)
    return current(one for one in revisions if running is not None and one.number < running.number)


def surplus(revisions: Sequence[Revision]) -> tuple[Revision, ...]:
    """Return the revisions that are one too many: the oldest, but not the one that runs."""
    running = current(revisions)
    oldest = sorted(revisions, key=lambda one: one.number)[: max(0, len(revisions) - KEPT)]
    return tuple(one for one in oldest if one != running)


def _text(value: object) -> str:
    return json.dumps(value, indent=1)
