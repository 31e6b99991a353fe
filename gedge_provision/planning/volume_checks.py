"""What must hold between the volumes of a service and its containers. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gedge_provision.models.documents import Problem
from gedge_provision.models.service import Service, Volume

__all__ = ["check_volumes"]

_PAGES = {"HugePages-2Mi": "hugepages-2Mi", "HugePages-1Gi": "hugepages-1Gi"}


def check_volumes(service: Service) -> Iterator[Problem]:
    """Yield names that nothing has or nobody uses, paths that stand twice, and huge pages that nobody asks for."""
    known: dict[str, int] = {}
    mounted = {mount.name for container in service.containers for mount in container.volume_mounts}
    for index, volume in enumerate(service.volumes):
        path = ("service", "volumes", index)
        if volume.name in known:
            yield Problem(
                (*path, "name"),
                f"{volume.name} is the name of volumes[{known[volume.name]}] too",
                "give it another name",
            )
        elif volume.name not in mounted:
            yield Problem(
                (*path, "name"),
                f"no container mounts {volume.name}",
                "add it to the volumeMounts of a container, or take it out",
            )
        known.setdefault(volume.name, index)
        yield from _pages(service, index, volume)
    yield from _mounts(service, known)


def _pages(service: Service, index: int, volume: Volume) -> Iterator[Problem]:
    resource = _PAGES.get(volume.empty_dir.medium or "") if volume.empty_dir is not None else None
    asked = {
        name
        for container in service.containers
        for part in (container.resources.requests, container.resources.limits)
        for name in part.by_resource()
    }
    if resource is not None and resource not in asked:
        yield Problem(
            ("service", "volumes", index, "emptyDir", "medium"),
            f"no container asks for {resource}",
            f"add {resource} to resources.requests of the container that uses it",
        )


def _mounts(service: Service, known: dict[str, int]) -> Iterator[Problem]:
    for index, container in enumerate(service.containers):
        seen: set[str] = set()
        for position, mount in enumerate(container.volume_mounts):
            path = ("service", "containers", index, "volumeMounts", position)
            if mount.name not in known:
                remedy = f"name one of volumes: {', '.join(known)}" if known else "add it to volumes of the service"
                yield Problem((*path, "name"), f"the service has no volume {mount.name}", remedy)
            where = mount.mount_path.rstrip("/") or "/"
            if where in seen:
                yield Problem(
                    (*path, "mountPath"), f"another volume is mounted at {where}", "give each volume its own folder"
                )
            seen.add(where)
