"""A new revision beside what runs: a canary takes a share of the traffic, a preview none until all of it is switched.

Either is a service of its own in the cluster, NAME-canary or NAME-next. The pods of a canary have the labels that the
Services of NAME look for. A preview is reached inside the cluster under its own name, and the Services of NAME are
switched to its labels while the pods of NAME are updated.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

from gedge_provision.models.cluster import SERVICE, Manifest
from gedge_provision.models.errors import UsageError
from gedge_provision.models.rollouts import Content, Strategy
from gedge_provision.models.service import Service
from gedge_provision.planning.manifests import headless_name, render, traffic

__all__ = ["TRIAL_OF", "Trial", "preview_traffic", "refuse_trial", "trial_name", "trial_of"]

TRIAL_OF = "gedge.dev/trial-of"
"""Label of the objects and pods of a trial: the service that it is a trial of."""

_ENDS = {"canary": "canary", "blue-green": "next"}


@dataclass(frozen=True)
class Trial:
    """What a trial consists of.

    Attributes:
        name: of the service that it is in the cluster.
        manifests: its objects.
        pods: how many it has.
        stays: how many pods of what runs stay beside it; None: all.
    """

    name: str
    manifests: tuple[Manifest, ...]
    pods: int
    stays: int | None

    def share_note(self, service: str, strategy: Strategy) -> str:
        """Return what is to be told of the share of a canary: pods are whole; empty when it is what was asked for."""
        if self.stays is None:
            return ""
        total = self.pods + self.stays
        if self.pods * 100 == strategy.percent * total:
            return ""
        share = f"{self.pods * 100 / total:.0f}% for {strategy.percent}%"
        return f"{service}: of {total} pods {self.pods} will be new, {share}"


def trial_name(service: str, strategy: Strategy) -> str:
    """Return the name of the trial of a service."""
    return f"{service}-{_ENDS[strategy.way]}"


def refuse_trial(running: Content | None, wanted: Content, strategy: Strategy) -> None:
    """Make sure that a revision can be tried beside what runs.

    Raises:
        UsageError: nothing runs yet, pods have state or addresses of their own, or a canary would need other ports.
    """
    service = wanted.service
    if running is None:
        raise UsageError(
            f"there is nothing yet that a {strategy.way} rollout could stand beside",
            place=service.name,
            remedy="apply the first revision without --canary and --blue-green",
        )
    if any(volume.claim_template for volume in (*service.volumes, *running.service.volumes)):
        raise UsageError(
            f"pods with volumes of their own (claimTemplate) cannot stand beside others as {strategy.way}",
            place=service.name,
            remedy="apply it without --canary and --blue-green",
        )
    if any(
        entry.address for container in service.containers for entry in container.resources.acceleration.communication
    ):
        raise UsageError(
            "a pod with an address of its own on a network cannot stand beside another one",
            place=service.name,
            remedy="apply it without --canary and --blue-green",
        )
    if strategy.way == "canary" and _published(running) != _published(wanted):
        raise UsageError(
            "a canary shares the traffic of what runs, and this document has other ports",
            place=service.name,
            remedy="use --blue-green, which switches the ports with the pods",
        )


def trial_of(wanted: Content, strategy: Strategy, namespace: str, replicas: int) -> Trial:
    """Return a trial of a revision.

    Args:
        wanted: the revision.
        strategy: canary or blue-green.
        namespace: of the service.
        replicas: how many pods it has now.
    """
    service = wanted.service
    name = trial_name(service.name, strategy)
    canary = strategy.way == "canary"
    count = max(1, round(replicas * strategy.percent / 100)) if canary else replicas
    manifests = []
    for manifest in render(_renamed(service, name, count), namespace):
        if canary and manifest["kind"] == SERVICE.name:
            continue
        manifest["metadata"]["labels"][TRIAL_OF] = service.name
        template = manifest["spec"].get("template")
        if template is not None:
            template["metadata"]["labels"][TRIAL_OF] = service.name
            if canary:
                template["metadata"]["labels"] |= traffic(service.name)
        manifests.append(manifest)
    return Trial(name, tuple(manifests), count, max(1, replicas - count) if canary else None)


def preview_traffic(wanted: Content, strategy: Strategy) -> tuple[Manifest, ...]:
    """Return the Services of a revision, switched to the pods of its preview."""
    switched = [copy.deepcopy(item) for item in _services(wanted)]
    for manifest in switched:
        manifest["spec"]["selector"] = traffic(trial_name(wanted.service.name, strategy))
    return tuple(switched)


def _renamed(service: Service, name: str, replicas: int) -> Service:
    """Return the service under another name, with its containers' names as they were, reached inside the cluster.

    A trial has a number of pods, and does not scale.
    """
    containers = tuple(
        container.model_copy(
            update={
                "name": own,
                "ports": tuple(port.model_copy(update={"external_port": None}) for port in container.ports),
            }
        )
        for own, container in zip(service.container_names(), service.containers, strict=True)
    )
    return service.model_copy(update={"name": name, "replicas": replicas, "scaling": None, "containers": containers})


def _services(content: Content) -> list[Manifest]:
    headless = headless_name(content.service.name)
    return [item for item in content.manifests if item["kind"] == SERVICE.name and item["metadata"]["name"] != headless]


def _published(content: Content) -> list[Manifest]:
    return [item["spec"] for item in _services(content)]
