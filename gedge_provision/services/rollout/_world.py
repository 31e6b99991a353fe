"""What there is in a namespace before a rollout."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from gedge_provision.adapters.kube import ForbiddenError, Kube, NotFoundError
from gedge_provision.models.cluster import (
    AUTOSCALER,
    CONTROLLER_KINDS,
    NODE,
    SERVICE,
    Manifest,
    NodeState,
    ServiceState,
)
from gedge_provision.models.rollouts import Content, Revision
from gedge_provision.planning import rollouts
from gedge_provision.planning.external_ports import node_addresses
from gedge_provision.planning.manifests import MANAGED, external_name
from gedge_provision.services.records import Records
from gedge_provision.services.rollout._stages import Address, Stage, address, owned_by, replace_all

__all__ = ["World", "back"]


@dataclass(frozen=True)
class World:
    """What there is in a namespace before a rollout.

    Attributes:
        kube: the cluster.
        namespace: the namespace.
        nodes: of the cluster; None where the user may not list them.
        objects: of the kinds that services consist of, of anybody, by kind and name.
        published: the Kubernetes Services of all namespaces, where somebody wants an external port.
        revisions: of the services in question, by name.
    """

    kube: Kube
    namespace: str
    nodes: tuple[NodeState, ...] | None
    objects: dict[Address, Manifest]
    published: tuple[ServiceState, ...]
    revisions: dict[str, tuple[Revision, ...]]

    @property
    def addresses(self) -> tuple[str, ...] | None:
        """The addresses that external ports are published on; None where the user may not list nodes."""
        return None if self.nodes is None else node_addresses(self.nodes)

    @classmethod
    def read(cls, kube: Kube, namespace: str, names: Collection[str], *, ports: bool = False) -> World:
        """Read the cluster.

        Args:
            kube: the cluster.
            namespace: where the services are.
            names: the services.
            ports: whether any of them has an external port.

        Raises:
            ForbiddenError: the user may not; no nodes are needed where no external port is wanted or there.
        """
        objects = {}
        for kind in CONTROLLER_KINDS.values():
            with suppress(NotFoundError):  # clusters before Kubernetes 1.34 have no claims of devices
                for item in kube.find(kind, namespace):
                    objects[address(item)] = item
        published = tuple(ServiceState.model_validate(item) for item in kube.each(SERVICE)) if ports else ()
        # Without their addresses a port that is there could not come back after a rollout that fails.
        ports = ports or any((SERVICE.name, external_name(name)) in objects for name in names)
        nodes: tuple[NodeState, ...] | None = None
        try:
            nodes = tuple(NodeState.model_validate(item) for item in kube.each(NODE))
        except ForbiddenError as error:
            if ports or not error.by_rbac:
                raise
        return cls(kube, namespace, nodes, objects, published, dict(Records(kube, namespace).of(names)))

    @property
    def autoscalers(self) -> list[Manifest]:
        """The autoscalers of anybody."""
        return [item for (kind, _), item in self.objects.items() if kind == AUTOSCALER.name]

    def own(self, service: str) -> list[Address]:
        """Return what belongs to a service."""
        return [key for key, item in self.objects.items() if owned_by(item, service)]

    def trial(self, service: str) -> list[Address]:
        """Return what belongs to the trials of a service."""
        labels = {**MANAGED, rollouts.TRIAL_OF: service}
        return [
            key for key, item in self.objects.items() if item["metadata"].get("labels", {}).items() >= labels.items()
        ]


def back(kube: Kube, namespace: str, content: Content, number: int) -> list[Stage]:
    """Return the stages that make a revision all that there is of a service, as the cluster is now."""
    name = content.service.name
    world = World.read(kube, namespace, [name])
    return replace_all(content, number, world.own(name), world.trial(name))
