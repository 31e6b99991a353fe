"""The revisions of services that a cluster keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

from gedge_provision.adapters.kube import ConflictError, Kube
from gedge_provision.models.cluster import CONFIG_MAP
from gedge_provision.models.rollouts import Content, Revision, RevisionState, Strategy
from gedge_provision.planning import rollouts
from gedge_provision.planning.manifests import MANAGED

__all__ = ["Records"]


class Records:
    """The revisions of the services of a namespace."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace

    def of(self, names: Collection[str]) -> Mapping[str, tuple[Revision, ...]]:
        """Return the revisions of services, oldest first; nothing for a service without any."""
        labels = {**MANAGED, rollouts.REVISION_OF: next(iter(names))} if len(names) == 1 else MANAGED
        found: defaultdict[str, list[Revision]] = defaultdict(list)
        for item in self._kube.find(CONFIG_MAP, self._namespace, labels=labels, metadata_only=True):
            if rollouts.REVISION_OF in item["metadata"]["labels"]:
                revision = rollouts.read_revision(item)
                found[revision.service].append(revision)
        return {name: tuple(sorted(found[name], key=lambda one: one.number)) for name in names if name in found}

    def content(self, revision: Revision) -> Content:
        """Return what a revision consists of.

        Raises:
            NotFoundError: it is no longer kept.
        """
        name = rollouts.revision_name(revision.service, revision.number)
        return rollouts.content_of(self._kube.get(CONFIG_MAP, self._namespace, name))

    def begin(self, number: int, content: Content, strategy: Strategy) -> Revision:
        """Keep a new revision whose rollout begins.

        Raises:
            ConflictError: another rollout of the service began at the same time.
        """
        manifest = rollouts.revision_manifest(self._namespace, number, content, strategy)
        try:
            return rollouts.read_revision(self._kube.create(CONFIG_MAP, manifest))
        except ConflictError as error:
            raise ConflictError(
                "another rollout of this service began at the same time; nothing was changed",
                place=f"{self._namespace}/{content.service.name}",
                remedy=f"see gedge service history {content.service.name}, then apply again",
            ) from error

    def tell(self, revision: Revision, state: RevisionState, reason: str = "") -> Revision:
        """Keep how far a revision is."""
        name = rollouts.revision_name(revision.service, revision.number)
        self._kube.annotate(CONFIG_MAP, self._namespace, name, rollouts.told_state(state, reason))
        return replace(revision, state=state, reason=reason)

    def forget(self, revisions: Collection[Revision]) -> None:
        """Delete revisions."""
        for revision in revisions:
            name = rollouts.revision_name(revision.service, revision.number)
            self._kube.delete(CONFIG_MAP, self._namespace, name)
