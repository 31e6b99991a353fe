"""Are the versions of a site with GPUs known to go together? Held against the table of GPU operators. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.gpu_versions import GpuVersions, OperatorRow, numbers
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu_labels import gpu_section, served_classes
from gedge_provision.planning.gpu_matches import applies, drivers_of

__all__ = ["check_gpu_versions"]

_VERSION: Path = ("gpu_operator", "version")


def check_gpu_versions(site: Site, versions: GpuVersions, containerd: str) -> Iterator[Problem]:
    """Yield versions that do not go together.

    Args:
        site: the site.
        versions: the table of operators.
        containerd: the version that the site's nodes get.
    """
    if not served_classes(site):
        return
    section = gpu_section(site)
    row = versions.operator(section.version)
    if row is None:
        yield Problem(
            _VERSION,
            f"nothing is known of operator {section.version}",
            f"use one of {', '.join(one.version for one in versions.operators)}",
        )
        return
    yield from _kubernetes(site, row)
    if section.allocation == "dra":
        yield from _claims(site, row, versions)
    elif section.toolkit.nri:
        yield from _nri(row, containerd)
    yield from _drivers(site, row, versions)
    yield from _known_bad(site, row, versions, containerd)


def _kubernetes(site: Site, row: OperatorRow) -> Iterator[Problem]:
    if not row.kubernetes.hold(site.kubernetes.version):
        yield Problem(
            _VERSION,
            f"operator {row.version} is for Kubernetes {row.kubernetes.first} to {row.kubernetes.last}, and the site "
            f"has {site.kubernetes.version}",
            "use another version of the operator",
        )


def _claims(site: Site, row: OperatorRow, versions: GpuVersions) -> Iterator[Problem]:
    place: Path = ("gpu_operator", "allocation")
    if row.dra is None:
        able = ", ".join(one.version for one in versions.operators if one.dra)
        yield Problem(place, f"operator {row.version} does not manage the DRA driver", f"use version {able}")
        return
    if numbers(site.kubernetes.version) < numbers(row.dra.kubernetes):
        yield Problem(
            place,
            f"claims for GPUs need Kubernetes {row.dra.kubernetes}, and the site has {site.kubernetes.version}",
            "set it to device-plugin",
        )
    for path, driver in drivers_of(site, row).items():
        if numbers(driver) < numbers(row.dra.driver):
            yield Problem(
                path,
                f"claims for GPUs need driver {numbers(row.dra.driver)[0]} or later, and this is {driver}",
                "use a later one, or set gpu_operator.allocation to device-plugin",
            )


def _nri(row: OperatorRow, containerd: str) -> Iterator[Problem]:
    """Refuse a containerd that is older than each that has the interface; a newer one is told of elsewhere."""
    have = numbers(containerd)
    for least in row.nri:
        if have[:2] == numbers(least)[:2] and have >= numbers(least):
            return
    if have > max(numbers(least) for least in row.nri):
        return
    yield Problem(
        ("gpu_operator", "toolkit", "nri"),
        f"the NRI plugin of operator {row.version} needs containerd {', '.join(row.nri)} or later of these lines, and "
        f"nodes get {containerd}",
        "set gpu_operator.toolkit.nri to false",
    )


def _drivers(site: Site, row: OperatorRow, versions: GpuVersions) -> Iterator[Problem]:
    modules = gpu_section(site).driver.kernel_modules
    for path, driver in drivers_of(site, row).items():
        if numbers(driver) < numbers(row.drivers.minimum):
            yield Problem(
                path,
                f"operator {row.version} is for drivers from {numbers(row.drivers.minimum)[0]} on, and this is "
                f"{driver}",
                f"use a later one; the operator's own is {row.drivers.default}",
            )
            continue
        for need in versions.needs:
            wanted = path[0] == "gpu_operator" and need.kernel_modules == modules
            if wanted and numbers(driver) < numbers(need.driver):
                yield Problem(
                    path, f"kernel_modules: {modules} needs driver {need.driver}, and this is {driver}", need.remedy
                )


def _known_bad(site: Site, row: OperatorRow, versions: GpuVersions, containerd: str) -> Iterator[Problem]:
    drivers = drivers_of(site, row)
    for bad in versions.known_bad:
        if bad.drivers:
            for path, driver in drivers.items():
                if applies(bad, site, containerd, driver):
                    yield Problem(path, f"driver {driver}: {bad.reason} ({bad.source})", bad.remedy)
        elif applies(bad, site, containerd, ""):
            place = _VERSION if bad.nri is None else ("gpu_operator", "toolkit", "nri")
            yield Problem(
                place,
                f"operator {row.version} with containerd {containerd}: {bad.reason} ({bad.source})",
                bad.remedy,
            )
