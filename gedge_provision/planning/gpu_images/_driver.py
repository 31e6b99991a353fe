"""Does a driver run a CUDA? By the three rules of data/cuda.yml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gedge_provision.models.cuda_versions import CudaVersions, short
from gedge_provision.models.gpu_images import Answer, ImageReport, SeenGpu
from gedge_provision.models.gpu_versions import numbers

__all__ = ["Judged", "judge_driver"]


@dataclass(frozen=True)
class Judged:
    """An answer with its reason, what to do, and what should be known beside it."""

    answer: Answer
    reason: str
    remedy: str = ""
    notes: tuple[str, ...] = ()


def judge_driver(
    report: ImageReport, driver: str, newer: str, gpus: Sequence[SeenGpu], versions: CudaVersions
) -> Judged:
    """Return whether a driver runs the newest CUDA of an image.

    Args:
        report: what the image has: some CUDA at least.
        driver: the nodes' driver.
        newer: how nodes get another driver, as a sentence with {driver} in it.
        gpus: GPUs of the nodes, as far as a container saw them.
        versions: the table.
    """
    cuda = report.cuda[0]
    judged = _by_version(report, cuda, driver, newer, versions)
    if judged.answer != "fits":
        return judged
    return _by_gpus(judged, cuda, gpus, versions)


def _by_version(report: ImageReport, cuda: str, driver: str, newer: str, versions: CudaVersions) -> Judged:
    own, family = versions.came_with(cuda), versions.family(cuda)
    if own is None and family is None:
        return _outside(cuda, driver, versions)
    if own is not None and numbers(driver) >= numbers(own):
        return Judged("fits", f"driver {driver} is {own} or later, which is enough for CUDA {cuda}")
    least = family.driver if family is not None else own
    assert least is not None  # noqa: S101 - one of the two is there
    if family is not None and numbers(driver) >= numbers(least):
        return Judged(
            "fits",
            f"driver {driver} runs each CUDA {family.major}.x, as do all from {least} on (minor version compatibility)",
            notes=(_limits(cuda, own),),
        )
    if report.compat is not None and numbers(report.compat) >= numbers(least):
        return Judged(
            "not known",
            f"driver {driver} is too old for CUDA {cuda} ({least}), and the image brings files of driver "
            f"{report.compat} for that (forward compatibility): they work on data-centre GPUs, beside certain drivers",
            f"look in NVIDIA's CUDA Compatibility, Forward Compatibility, or {newer.format(driver=least)}",
        )
    older = versions.newest_for(driver)
    other = f", or take an image with CUDA {older} or older" if older else ""
    return Judged(
        "does not fit",
        f"CUDA {cuda} needs driver {least} or later, and this is {driver}",
        newer.format(driver=least) + other,
    )


def _outside(cuda: str, driver: str, versions: CudaVersions) -> Judged:
    """Answer for a CUDA that is older than each row, or of a family that is newer than all."""
    oldest = versions.oldest()
    if numbers(cuda)[0] < min(one.major for one in versions.families) and numbers(driver) >= numbers(oldest):
        return Judged("fits", f"driver {driver} is {oldest} or later, which is enough for CUDA {cuda}")
    return Judged(
        "not known",
        f"of CUDA {cuda} it is not known here which driver it needs",
        "look in NVIDIA's release notes of it for the least driver",
    )


def _limits(cuda: str, own: str | None) -> str:
    """Return what a driver may lack that is older than the one that came with a CUDA."""
    if "." not in cuda:
        return (
            f"which CUDA {cuda} the image has is not known; code that is compiled when it runs may need a later driver"
        )
    full = f"driver {own}" if own else "the driver of its own time"
    return f"what is new in CUDA {short(cuda)}, and code that is compiled when it runs (PTX), may need {full}"


def _by_gpus(judged: Judged, cuda: str, gpus: Sequence[SeenGpu], versions: CudaVersions) -> Judged:
    """Add what is to be said of GPUs: a CUDA has code for some generations of them."""
    row = versions.gpus_of(cuda)
    if row is None:
        return judged
    seen = [(one, numbers(one.compute_capability)) for one in gpus if one.compute_capability]
    for one, capability in seen:
        if capability < numbers(row.first):
            return Judged(
                "does not fit",
                f"CUDA {cuda} has no code for {one.name} (compute capability {one.compute_capability}), only from "
                f"{row.first} on",
                "take an image with an older CUDA",
            )
        if capability[0] > numbers(row.last)[0]:  # code for one generation runs on all of it
            return Judged(
                "not known",
                f"CUDA {cuda} is older than {one.name} (compute capability {one.compute_capability}): only code that "
                "is compiled when it runs (PTX) works there, libraries such as cuDNN may not",
                "take an image with a newer CUDA, or try it",
            )
    if seen:
        return judged
    told = f"CUDA {short(cuda)} has code for GPUs of compute capability {row.first} to {row.last} ({row.named}); "
    told += "on later ones only what is compiled when it runs (PTX) works"
    return replace(judged, notes=(*judged.notes, told))
