"""Which nodes of a site a service may run on, and how these give CPUs away. Pure."""

from __future__ import annotations

from typing import get_args

from gedge_provision.models.service import Service, TopologyPolicy
from gedge_provision.models.site import Node, Site
from gedge_provision.planning.cpu_plans.written import profile_fields
from gedge_provision.planning.inventory import node_labels

__all__ = ["full_cores", "strict_classes", "strictest"]

_POLICIES: tuple[str, ...] = get_args(TopologyPolicy)  # from the least strict on
_THREADS = 2  # of a core, where the site file does not say it
_HOST_NAME = "kubernetes.io/hostname"


def strictest(service: Service) -> TopologyPolicy | None:
    """Return the strictest policy that a container asks for; None where none does."""
    asked = [policy for container in service.containers if (policy := container.resources.acceleration.policy)]
    return max(asked, key=_POLICIES.index, default=None)


def _candidates(service: Service, site: Site) -> list[Node]:
    """Return the workers that the service may run on, by its classes and the labels that the site file decides."""
    labels = {node.name: {_HOST_NAME: node.name} | node_labels(site, node) for node in site.nodes}
    decided = {key for found in labels.values() for key in found}
    asked = {key: value for key, value in service.node_selector.items() if key in decided}
    return [
        node
        for node in site.with_role("worker")
        if (not service.node_classes or node.node_class in service.node_classes)
        and asked.items() <= labels[node.name].items()
    ]


def _policy(site: Site, node: Node) -> str:
    """Return how strictly a node places containers that own CPUs: none where they own none."""
    settings = site.node_classes[node.node_class].kubelet
    intent = site.cpu_intent(node)
    fields = settings.to_kubelet() if intent is None else profile_fields(intent, settings)
    return str(fields["topologyManagerPolicy"]) if site.owns_cpus(node) else "none"


def strict_classes(service: Service, site: Site, policy: TopologyPolicy) -> tuple[str, ...]:
    """Return the classes all of whose nodes have the policy or a stricter one."""
    enough = _POLICIES[_POLICIES.index(policy) :]
    nodes = _candidates(service, site)
    lax = {node.node_class for node in nodes if _policy(site, node) not in enough}
    return tuple(sorted({node.node_class for node in nodes} - lax))


def full_cores(service: Service, site: Site) -> tuple[int, tuple[str, ...]]:
    """Return the threads of a core where kubelets that may get the service give whole cores only, else 1; and where."""
    threads, classes = 1, set()
    for node in _candidates(service, site):
        intent = site.cpu_intent(node)
        written = site.node_classes[node.node_class].kubelet.cpu_manager_policy_options.get("full-pcpus-only")
        planned = intent is not None and intent.profile != "shared" and intent.full_cores is not False
        if not site.owns_cpus(node) or not (planned if written is None else written):
            continue
        emulated = site.lab.emulated.get(node.name) if site.lab is not None else None
        threads = max(threads, emulated.threads if emulated is not None else _THREADS)
        classes.add(node.node_class)
    return threads, tuple(sorted(classes))
