"""On which classes of nodes can an image run?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gedge_provision.models.cuda_versions import CudaVersions
from gedge_provision.models.errors import UsageError
from gedge_provision.models.gpu_images import ClassAnswer, ImageReport
from gedge_provision.models.gpu_versions import GpuVersions, numbers
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu_images._driver import Judged, judge_driver
from gedge_provision.planning.gpu_images._stack import stack_notes, stack_problem, uses_gpus
from gedge_provision.planning.gpu_labels import gpu_section

__all__ = ["answer_classes", "chosen_classes"]

_OPERATORS = "set gpu_operator.driver.version to {driver} or later"
_HOSTS = "install driver {driver} or later on the hosts, and say so in driver_version"


@dataclass(frozen=True)
class _Driver:
    """The driver of a class: its version (empty: unknown), how nodes get another one, what should be known."""

    version: str
    newer: str
    note: str = ""


def chosen_classes(site: Site, classes: Sequence[str] = (), node: str | None = None) -> tuple[str, ...]:
    """Return the classes that are asked about: those named, or that of the node, or all that nodes have GPUs by.

    Raises:
        UsageError: the site has no such class or node.
    """
    of_nodes = {one.name: one.node_class for one in site.nodes}
    used = sorted(set(of_nodes.values()))
    for name in classes:
        if name not in used:
            raise UsageError(
                f"no node has the class {name!r}", place="--class", remedy=f"name one of {', '.join(used)}"
            )
    if node is not None and node not in of_nodes:
        raise UsageError(
            f"there is no node {node!r}", place="--node", remedy=f"name one of {', '.join(sorted(of_nodes))}"
        )
    if classes:
        return tuple(dict.fromkeys(classes))
    if node is not None:
        return (of_nodes[node],)
    with_gpus = [name for name in used if name in site.node_classes and site.node_classes[name].gpu is not None]
    return tuple(with_gpus or used)


def answer_classes(
    site: Site, report: ImageReport, classes: Sequence[str], operators: GpuVersions, versions: CudaVersions
) -> tuple[ClassAnswer, ...]:
    """Return whether an image can run on each class.

    Args:
        site: the site.
        report: what the image has.
        classes: classes that nodes of the site have.
        operators: the table of GPU operators, for the driver that one brings.
        versions: the table of CUDA versions.
    """
    return tuple(_answer(site, report, name, operators, versions) for name in classes)


def _answer(site: Site, report: ImageReport, name: str, operators: GpuVersions, versions: CudaVersions) -> ClassAnswer:
    driver = _driver(site, report, name, operators)
    judged = _judge(site, report, name, driver, versions)
    if driver.note:
        judged = replace(judged, notes=(*judged.notes, driver.note))
    return ClassAnswer(
        node_class=name,
        driver=driver.version,
        answer=judged.answer,
        reason=judged.reason,
        remedy=judged.remedy,
        notes=judged.notes,
    )


def _judge(site: Site, report: ImageReport, name: str, driver: _Driver, versions: CudaVersions) -> Judged:
    described = site.node_classes.get(name)
    intent = described.gpu if described else None
    if not uses_gpus(report, versions):
        note = "a program that has CUDA linked into it is not seen"
        return Judged("fits", "no CUDA in this image: it needs no driver", notes=(note,) if intent else ())
    if described and described.emulated_gpus:
        return Judged(
            "does not fit",
            "the GPUs of this class are emulated: nothing can compute on them",
            "run it on another class",
        )
    if intent is None:
        return Judged(
            "does not fit",
            "nodes of this class have no GPUs, by the site file",
            f"add gpu to node_classes.{name}, or run it on another class",
        )
    problem = stack_problem(report, versions)
    if problem is not None:
        return problem
    assert report.cuda  # noqa: S101 - a framework without the CUDA that it was built for is a problem of the stack
    if not driver.version:
        return Judged(
            "not known",
            "the site file leaves the GPUs of this class to others (driver: none)"
            if intent.driver == "none"
            else "which driver the hosts have is not known",
            "look on a node of the class: --node NODE"
            if intent.driver == "none"
            else f"write it to node_classes.{name}.gpu.driver_version (nvidia-smi on a host tells it), or look on a "
            "node of the class: --node NODE",
        )
    gpus = report.gpus if _is_of(site, report, name) else ()
    judged = judge_driver(report, driver.version, driver.newer, gpus, versions)
    notes = [*judged.notes, *stack_notes(report, versions)]
    if report.require and not gpu_section(site).cdi:
        notes.append(
            "without CDI the toolkit holds NVIDIA_REQUIRE_CUDA of the image against driver and GPU, and refuses to "
            f"start what does not go with it: {report.require}"
        )
    return replace(judged, notes=tuple(notes))


def _driver(site: Site, report: ImageReport, name: str, operators: GpuVersions) -> _Driver:
    """Return the driver of a class by the site file, or by the kernel of the node that was looked at."""
    intent = site.node_classes[name].gpu if name in site.node_classes else None
    if intent is None:
        return _Driver("", "")
    seen = report.driver if _is_of(site, report, name) else None
    section = gpu_section(site)
    row = operators.operator(section.version)
    if intent.driver == "operator":
        said = section.driver.version or (row.drivers.default if row else "")
        return _Driver(said, _OPERATORS, _differs(report.node, seen, said, "the operator has not brought it there"))
    said = intent.driver_version or ""
    if said:
        return _Driver(said, _HOSTS, _differs(report.node, seen, said, "correct driver_version, or the host"))
    return _Driver(seen or "", _HOSTS, f"the driver is that of {report.node}" if seen else "")


def _differs(node: str, seen: str | None, said: str, why: str) -> str:
    if seen is None or numbers(seen) == numbers(said):
        return ""
    return f"the kernel of {node} has driver {seen}, and the site file says {said}: {why}"


def _is_of(site: Site, report: ImageReport, name: str) -> bool:
    """Tell whether a report was read on a node of a class."""
    return any(node.name == report.node and node.node_class == name for node in site.nodes)
