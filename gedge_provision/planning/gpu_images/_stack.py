"""Do the libraries of an image go together? By what its frameworks were built for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gedge_provision.models.cuda_versions import CudaVersions, Stack, same_libraries
from gedge_provision.models.gpu_images import Framework, ImageReport
from gedge_provision.models.gpu_versions import numbers
from gedge_provision.planning.gpu_images._driver import Judged

__all__ = ["stack_notes", "stack_problem", "uses_gpus"]


def uses_gpus(report: ImageReport, versions: CudaVersions) -> bool:
    """Tell whether something in an image asks for a GPU's driver."""
    return bool(report.cuda) or any(_wanted(one, versions)[0] for one in report.frameworks)


def stack_problem(report: ImageReport, versions: CudaVersions) -> Judged | None:
    """Return why a framework of the image would not find its libraries; None where all do, or tell nothing."""
    for one in report.frameworks:
        cuda, cudnn, _ = _wanted(one, versions)
        if cuda and not any(same_libraries(cuda, have) for have in report.cuda):
            have = " and ".join(report.cuda)
            return Judged(
                "does not fit",
                f"{one.name} {one.version} was built for CUDA {cuda}, and the image has "
                f"{f'CUDA {have}' if have else 'no CUDA runtime'}: it would run on CPUs only",
                f"put CUDA {_line(cuda)} into the image, or a {one.name} that was built for what it has",
            )
        if cudnn and not _cudnn_goes(report.cudnn, cudnn):
            return Judged(
                "does not fit",
                f"{one.name} {one.version} was built for cuDNN {cudnn}, and the image has "
                f"{f'cuDNN {report.cudnn}' if report.cudnn else 'no cuDNN'}",
                f"put cuDNN {numbers(cudnn)[0]} into the image, {cudnn} or later",
            )
    return None


def stack_notes(report: ImageReport, versions: CudaVersions) -> Iterator[str]:
    """Yield what should be known of an image whose libraries go together."""
    for one in report.frameworks:
        _, _, row = _wanted(one, versions)
        if row is None:
            continue
        if report.tensorrt and row.tensorrt and numbers(report.tensorrt)[0] != numbers(row.tensorrt)[0]:
            yield f"{one.name} {one.version} was built for TensorRT {row.tensorrt}: it does not use {report.tensorrt}"
        elif row.name:
            yield f"this is {row.name}"


def _wanted(one: Framework, versions: CudaVersions) -> tuple[str | None, str | None, Stack | None]:
    """Return CUDA and cuDNN of a framework, by its own word first; a version with a + is not the published build."""
    published = re.match(r"\d+(?:\.\d+)*(?!.*\+)", one.version)
    row = versions.stack(one.name, published[0]) if published else None
    if row is None:
        return one.cuda, one.cudnn, None
    return one.cuda or row.cuda, one.cudnn or row.cudnn, row


def _cudnn_goes(have: str | None, wanted: str) -> bool:
    """Tell whether a cuDNN does for one that a framework was built for: the same first number, this one or later."""
    if have is None or numbers(have)[0] != numbers(wanted)[0]:
        return False
    if "." not in have:
        return True  # only the name of the library is known
    length = len(numbers(wanted)[:2])
    return numbers(have)[:length] >= numbers(wanted)[:length]


def _line(cuda: str) -> str:
    return f"{numbers(cuda)[0]}.x" if same_libraries(cuda, f"{numbers(cuda)[0]}.99") else cuda
