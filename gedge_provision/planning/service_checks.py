"""What must hold across the fields of a service document, and what its reader should be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gedge_provision.models.documents import Path, Problem, Source
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.service import MISSPELLINGS, Communication, Container, Service, ServiceFile
from gedge_provision.planning.acceleration import HUGE_PAGES, compute_resource, is_guaranteed, whole_cpus
from gedge_provision.planning.scaling_checks import check_scaling
from gedge_provision.planning.volume_checks import check_volumes

__all__ = ["NODE_PORTS", "check_service", "misspelling_notes", "service_networks"]

# An external port is taken over on the address of every node, before the node's own listener sees the packet.
NODE_PORTS: Mapping[tuple[int, str], str] = {
    (22, "TCP"): "SSH",
    (2379, "TCP"): "etcd",
    (2380, "TCP"): "etcd",
    (6443, "TCP"): "the API server",
    (8443, "TCP"): "the API server's load balancer",
    (8472, "UDP"): "the pod network",
    (10248, "TCP"): "the kubelet",
    (10249, "TCP"): "kube-proxy",
    (10250, "TCP"): "the kubelet",
    (10256, "TCP"): "kube-proxy",
    (10257, "TCP"): "kube-controller-manager",
    (10259, "TCP"): "kube-scheduler",
}
"""Ports that nodes need themselves, and for what."""

_KEYS = {"ephemeral-storage": "ephemeralStorage"}
"""How documents spell a resource, where it is not as Kubernetes does."""
_OWN_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/managed-by")
_OWN_LABEL_DOMAINS = ("gedge.dev/", "kubernetes.io/", "k8s.io/")


def check_service(document: ServiceFile) -> Iterator[Problem]:
    """Yield everything that is wrong with a service whose fields are valid one by one."""
    service = document.service
    yield from _names(service)
    yield from _ports(service)
    yield from _labels(service)
    yield from _dependencies(service)
    yield from _addresses(service)
    yield from check_volumes(service)
    yield from check_scaling(service)
    guaranteed = is_guaranteed(service)
    for index, container in enumerate(service.containers):
        path = ("service", "containers", index, "resources")
        yield from _amounts(path, container)
        yield from _devices(path, container)
        if guaranteed:
            yield from _guaranteed(path, container)


def misspelling_notes(source: Source) -> list[str]:
    """Return a notice for every accepted misspelling in a document, with its place."""
    return [
        f"{source.place(path)}: {path[-1]} is read as {MISSPELLINGS[path[-1]]}"
        for path in _paths(source.data)
        if isinstance(path[-1], str) and path[-1] in MISSPELLINGS
    ]


def _paths(data: Any, path: Path = ()) -> Iterator[Path]:  # noqa: ANN401 - YAML data
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in children:
        yield (*path, key)
        yield from _paths(value, (*path, key))


def _dependencies(service: Service) -> Iterator[Problem]:
    for index, name in enumerate(service.depends_on):
        place = ("service", "dependsOn", index)
        if name == service.name:
            yield Problem(place, "a service cannot wait for itself", "name other services, or leave dependsOn out")
        elif name in service.depends_on[:index]:
            yield Problem(place, f"{name} stands twice", "name every service once")


def _names(service: Service) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, name in enumerate(service.container_names()):
        if name in seen:
            yield Problem(
                ("service", "containers", index, "name"),
                f"{name} is the name of containers[{seen[name]}] too",
                "give every container its own name",
            )
        seen.setdefault(name, index)
    for index, container in enumerate(service.containers):
        names = [variable.name for variable in container.env]
        for position, name in enumerate(names):
            if name in names[:position]:
                yield Problem(
                    ("service", "containers", index, "env", position, "name"), f"{name} is set twice", "keep one"
                )


def _ports(service: Service) -> Iterator[Problem]:
    inside: dict[tuple[int, str], str] = {}
    outside: dict[tuple[int, str], str] = {}
    for index, container in enumerate(service.containers):
        for position, port in enumerate(container.ports):
            path = ("service", "containers", index, "ports", position)
            here = f"containers[{index}].ports[{position}]"
            listener = (port.container_port, port.protocol)
            if listener in inside:
                yield Problem(
                    (*path, "containerPort"),
                    f"{port.container_port}/{port.protocol} is taken by {inside[listener]}",
                    "the containers of a pod share one address: let each listen on its own port",
                )
            inside.setdefault(listener, here)
            if port.external_port is None:
                continue
            published = (port.external_port, port.protocol)
            if published in outside:
                yield Problem(
                    (*path, "externalPort"),
                    f"{port.external_port}/{port.protocol} is taken by {outside[published]}",
                    "publish every port under its own number",
                )
            outside.setdefault(published, here)
            if published in NODE_PORTS:
                yield Problem(
                    (*path, "externalPort"),
                    f"{port.external_port}/{port.protocol} on the nodes belongs to {NODE_PORTS[published]}",
                    "publish another port: this one would cut the nodes off",
                )


def service_networks(service: Service) -> Iterator[tuple[Path, Communication]]:
    """Yield every network device of a service with its path in the document."""
    for index, container in enumerate(service.containers):
        for position, entry in enumerate(container.resources.acceleration.communication):
            yield ("service", "containers", index, "resources", "acceleration", "communication", position), entry


def _labels(service: Service) -> Iterator[Problem]:
    for key in service.labels:
        domain = key.rpartition("/")[0] + "/"
        if key in _OWN_LABELS or domain.endswith(_OWN_LABEL_DOMAINS):
            yield Problem(("service", "labels", key), f"{key} is set by the platform", "use a label of your own domain")


def _amounts(path: Path, container: Container) -> Iterator[Problem]:
    requests, limits = (part.by_resource() for part in (container.resources.requests, container.resources.limits))
    for part, amounts in (("requests", requests), ("limits", limits)):
        if "cpu" in amounts and amounts["cpu"].amount == 0:
            yield Problem((*path, part, "cpu"), "cpu is 0", "leave it out, or ask for more than nothing")
    for name, request in requests.items():
        limit = limits.get(name)
        if limit is not None and request > limit:
            key = _KEYS.get(name, name)
            yield Problem(
                (*path, "requests", key), f"{key} {request} is more than the limit {limit}", "raise the limit"
            )
    yield from _huge_pages(path, requests, limits)


def _huge_pages(path: Path, requests: Mapping[str, Quantity], limits: Mapping[str, Quantity]) -> Iterator[Problem]:
    """Yield what the API server refuses of huge pages (pkg/apis/core/validation, ValidateResourceRequirements)."""
    for name, size in HUGE_PAGES.items():
        request, limit = requests.get(name), limits.get(name)
        for part, amount in (("requests", request), ("limits", limit)):
            if amount is not None and amount.amount % size.amount:
                yield Problem((*path, part, name), f"{amount} is no number of pages of {size}", "ask for whole pages")
        if request is not None and limit is not None and request < limit:
            yield Problem(
                (*path, "limits", name),
                f"{name} {limit} is not the request {request}, and nobody gets more huge pages than asked for",
                "leave the limit out: it then equals the request",
            )
        if (request is not None or limit is not None) and not {"cpu", "memory"} & (requests.keys() | limits.keys()):
            part = "requests" if request is not None else "limits"
            yield Problem((*path, part, name), "huge pages come with cpu or memory only", "add cpu or memory")


def _devices(path: Path, container: Container) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, entry in enumerate(container.resources.acceleration.compute):
        resource = compute_resource(entry)
        if resource in seen:
            what = f"MIG {entry.mig.profile}" if entry.mig is not None else "GPU"
            yield Problem(
                (*path, "acceleration", "compute", index),
                f"{what} stands twice",
                f"write the number of {'parts' if entry.mig is not None else 'GPUs'} in one entry",
            )
        seen.add(resource)


def _addresses(service: Service) -> Iterator[Problem]:
    seen: dict[tuple[str | None, str | None, str], str] = {}
    for path, entry in service_networks(service):
        if entry.address is None:
            continue
        if service.scaling is not None:
            yield Problem(
                (*path, "address"),
                "scaling makes more pods, and they cannot have one address",
                "take replicas: 1 instead of scaling, or a network that gives each pod an address (whereabouts, dhcp)",
            )
        elif service.replicas > 1:
            yield Problem(
                (*path, "address"),
                f"{service.replicas} pods cannot have one address",
                "take replicas: 1, or a network that gives each pod an address (whereabouts, dhcp)",
            )
        key = (entry.namespace, entry.network, entry.address.partition("/")[0])
        if key in seen:
            yield Problem(
                (*path, "address"), f"{key[2]} is taken by {seen[key]}", "give each interface its own address"
            )
        seen.setdefault(key, f"another interface of containers[{path[2]}]")


def _guaranteed(path: Path, container: Container) -> Iterator[Problem]:
    resources = container.resources
    aware = resources.acceleration.topology_aware
    for name in ("cpu", "memory"):
        request, limit = getattr(resources.requests, name), getattr(resources.limits, name)
        if request is None and limit is None:
            yield Problem(
                (*path, "requests"),
                f"topologyAware needs {name} for every container of the service",
                f"add {name}, for example {'1' if name == 'cpu' else '500Mi'}",
            )
        elif request is not None and limit is not None:
            same = whole_cpus(request) == whole_cpus(limit) if aware and name == "cpu" else request == limit
            if not same:
                yield Problem(
                    (*path, "limits", name),
                    f"topologyAware means Guaranteed QoS, and {name} {limit} is not the request {request}",
                    "leave the limit out: it then equals the request",
                )
