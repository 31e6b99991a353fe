"""Which rows of the table of GPU operators apply to a site. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gedge_provision.models.documents import Path
from gedge_provision.models.gpu_versions import GpuVersions, KnownBad, OperatorRow, numbers, starts_with
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu_labels import divides_gpus, gpu_section, served_classes

__all__ = ["applies", "containerd_remark", "drivers_of", "remarks_of"]


def drivers_of(site: Site, row: OperatorRow) -> dict[Path, str]:
    """Return the drivers that nodes have, by the field that says so; a preinstalled one may be unknown."""
    section, found = gpu_section(site), dict[Path, str]()
    for name, intent in served_classes(site).items():
        if intent.driver == "operator":
            found["gpu_operator", "driver", "version"] = section.driver.version or row.drivers.default
        elif intent.driver_version:
            found["node_classes", name, "gpu", "driver_version"] = intent.driver_version
    return found


def applies(bad: KnownBad, site: Site, containerd: str, driver: str) -> bool:
    """Tell whether a site with this containerd and this driver is a combination that is known not to work."""
    section = gpu_section(site)
    divided = divides_gpus(site)
    claims = section.allocation == "dra"  # no toolkit and no MIG manager then
    return (
        (not bad.containerd or any(starts_with(containerd, one) for one in bad.containerd))
        and (not bad.drivers or driver in bad.drivers)
        and (bad.nri is None or (not claims and bad.nri == section.toolkit.nri))
        and (bad.mig_strategy is None or (divided and bad.mig_strategy == (section.mig_strategy or "single")))
    )


def remarks_of(site: Site, versions: GpuVersions) -> Iterator[str]:
    """Yield what the table has to say of a site."""
    section = gpu_section(site)
    intents = list(served_classes(site).values())
    sharing = {intent.sharing.mode for intent in intents if intent.sharing}
    access = {intent.gpudirect_rdma for intent in intents}
    for row in versions.remarks:
        pairs = (
            (row.allocation, {section.allocation}),
            (row.nri, {section.toolkit.nri and section.allocation != "dra"}),
            (row.dcgm_exporter, {section.dcgm_exporter}),
            (row.sharing, sharing),
            (row.gpudirect_rdma, access),
        )
        named = not row.operators or any(starts_with(section.version, one) for one in row.operators)
        if named and all(wanted is None or wanted in found for wanted, found in pairs):
            yield row.text


def containerd_remark(row: OperatorRow, containerd: str) -> str:
    """Return that an operator was not validated with a containerd; empty where it was."""
    if any(starts_with(containerd, one) for one in row.containerd):
        return ""
    first, last = min(row.containerd, key=numbers), max(row.containerd, key=numbers)
    return f"NVIDIA has validated operator {row.version} with containerd {first} to {last}; nodes get {containerd}"
