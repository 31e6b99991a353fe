"""What must hold where pods get GPUs by claims (DRA), and what must not be asked for elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.gpu import GpuIntent
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu_labels import gpu_section, served_classes

__all__ = ["check_claims"]

_OTHERWISE = "or set gpu_operator.allocation to device-plugin"
_OF_CLASSES = (
    ("sharing", "claims share a GPU by themselves"),
    ("mig", "the MIG manager is not there under dra; a claim asks for a MIG device"),
)
_OF_SITE = (
    ("mig_strategy", "claims name MIG devices, and no strategy does"),
    ("mig_layouts", "the MIG manager is not there under dra"),
    ("pass_device_specs", "there is no device plugin under dra"),
)


def check_claims(site: Site, intents: Mapping[str, GpuIntent]) -> Iterator[Problem]:
    """Yield everything that the stack of the chosen allocation does not have."""
    section = gpu_section(site)
    if section.allocation != "dra":
        if section.compute_domains is not None:
            yield Problem(
                ("gpu_operator", "compute_domains"),
                "only claims know domains of NVLink",
                "take it out, or set allocation: dra",
            )
        return
    for name, intent in intents.items():
        for field, why in _OF_CLASSES:
            if getattr(intent, field) is not None:
                yield Problem(("node_classes", name, "gpu", field), why, f"take it out, {_OTHERWISE}")
    for index, node in enumerate(site.nodes):
        if node.gpu is not None:
            yield Problem(("nodes", index, "gpu", "mig"), _OF_CLASSES[1][1], f"take it out, {_OTHERWISE}")
    yield from _of_site(site)
    sources = {intent.driver: name for name, intent in served_classes(site).items()}
    if len(sources) > 1:
        yield Problem(
            ("node_classes", sources["preinstalled"], "gpu", "driver"),
            f"under dra all drivers are the operator's or all are preinstalled, and that of {sources['operator']} is "
            "the operator's",
            f"choose one of the two for all classes, {_OTHERWISE}",
        )


def _of_site(site: Site) -> Iterator[Problem]:
    section = gpu_section(site)
    place: Path = ("gpu_operator",)
    for field, why in _OF_SITE:
        asked = getattr(section, field)
        if asked is not None and asked != {}:
            yield Problem((*place, field), why, f"take it out, {_OTHERWISE}")
    if section.feature_discovery:
        yield Problem(
            (*place, "feature_discovery"),
            "it is not there under dra; claims select GPUs by their attributes",
            f"take it out, {_OTHERWISE}",
        )
    if section.toolkit.version is not None or not section.toolkit.nri:
        yield Problem((*place, "toolkit"), "the toolkit is not there under dra", f"take it out, {_OTHERWISE}")
    if not section.cdi:
        yield Problem((*place, "cdi"), "claims give devices by CDI", f"set it to true, {_OTHERWISE}")
