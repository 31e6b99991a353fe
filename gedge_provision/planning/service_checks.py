"""What must hold across the fields of a service document, and what its reader should be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gedge_provision.models.documents import Problem, Source
from gedge_provision.models.service import MISSPELLINGS, Container, Service, ServiceFile
from gedge_provision.planning.acceleration import whole_cpus

__all__ = ["check_service", "misspelling_notes"]

# An external port is taken over on the address of every node, before the node's own listener sees the packet.
_NODE_PORTS: Mapping[tuple[int, str], str] = {
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
_OWN_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/managed-by")
_OWN_LABEL_DOMAINS = ("gedge.dev/", "kubernetes.io/", "k8s.io/")


def check_service(document: ServiceFile) -> Iterator[Problem]:
    """Yield everything that is wrong with a service whose fields are valid one by one."""
    service = document.service
    yield from _names(service)
    yield from _ports(service)
    yield from _labels(service)
    guaranteed = any(container.resources.acceleration.topology_aware for container in service.containers)
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


def _paths(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401 - YAML data
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in children:
        yield (*path, key)
        yield from _paths(value, (*path, key))


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
            if published in _NODE_PORTS:
                yield Problem(
                    (*path, "externalPort"),
                    f"{port.external_port}/{port.protocol} on the nodes belongs to {_NODE_PORTS[published]}",
                    "publish another port: this one would cut the nodes off",
                )


def _labels(service: Service) -> Iterator[Problem]:
    for key in service.labels:
        domain = key.rpartition("/")[0] + "/"
        if key in _OWN_LABELS or domain.endswith(_OWN_LABEL_DOMAINS):
            yield Problem(("service", "labels", key), f"{key} is set by the platform", "use a label of your own domain")


def _amounts(path: tuple[str | int, ...], container: Container) -> Iterator[Problem]:
    resources = container.resources
    for name in ("cpu", "memory"):
        request, limit = getattr(resources.requests, name), getattr(resources.limits, name)
        for part, amount in (("requests", request), ("limits", limit)):
            if amount is not None and amount.amount == 0:
                yield Problem((*path, part, name), f"{name} is 0", "leave it out, or ask for more than nothing")
        if request is not None and limit is not None and request > limit:
            yield Problem(
                (*path, "requests", name), f"{name} {request} is more than the limit {limit}", "raise the limit"
            )
        if name == "memory" and any(amount is not None and amount.amount % 1 for amount in (request, limit)):
            yield Problem(
                (*path, "requests", name), "memory is a fraction of a byte", "write it like 500Mi; m is for cpu"
            )


def _devices(path: tuple[str | int, ...], container: Container) -> Iterator[Problem]:
    if len(container.resources.acceleration.compute) > 1:
        yield Problem(
            (*path, "acceleration", "compute", 1), "GPU stands twice", "write the number of GPUs in one entry"
        )


def _guaranteed(path: tuple[str | int, ...], container: Container) -> Iterator[Problem]:
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
