"""From what the script printed in an image (data/image_report.sh) to a report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from gedge_provision.models.errors import GedgeError
from gedge_provision.models.gpu_images import Framework, ImageReport, SeenGpu
from gedge_provision.models.gpu_versions import numbers
from gedge_provision.planning.gpu_images._choice import Place

__all__ = ["read_report"]

_HEAD, _END = "gedge-image-report 1", "end"
_EMULATED = "GEDGE_EMULATED_GPU"
"""Set by the emulated device plugin."""
_CUDA_ENV = ("CUDA_VERSION", "NV_CUDA_CUDART_VERSION")
_CUDNN_ENV = ("CUDNN_VERSION", "NV_CUDNN_VERSION")
_TENSORRT_ENV = ("TRT_VERSION", "TENSORRT_VERSION")
_CUDA_FILES = (
    r"/libcudart[^/]*\.so\.(\d+(?:\.\d+)*)$",
    r"/nvidia_cuda_runtime(?:_cu\d+)?-(\d+(?:\.\d+)*)\.dist-info$",
)
_CUDNN_FILES = (r"/libcudnn\.so\.(\d+(?:\.\d+)*)$", r"/nvidia_cudnn_cu\d+-(\d+(?:\.\d+)*)\.dist-info$")
_TENSORRT_FILES = (
    r"/libnvinfer\.so\.(\d+(?:\.\d+)*)$",
    r"/tensorrt(?:_cu\d+)?(?:_libs|_bindings)?-(\d+(?:\.\d+)*)\.dist-info$",
)
_FRAMEWORK = r"/(tensorflow|tensorflow_gpu|torch)-(\d[\w.+!]*)\.dist-info$"
_COMPAT = r"/compat[^/]*/libcuda\.so\.(\d+(?:\.\d+)+)$"
_KERNEL = r"Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)"
_GPU = r"(\d+(?:\.\d+)+), ([^,]+), (.+)"
# The name of the library of all CUDA 11; elsewhere two numbers are a version.
_FAMILY_NAMES = ("11.0",)


def read_report(text: str, image: str, place: Place) -> ImageReport:
    """Return what the script found.

    Args:
        text: what it printed.
        image: the image in which it ran.
        place: where it ran, and with which GPU.

    Raises:
        GedgeError: it did not come to its end.
    """
    lines = text.splitlines()
    if _HEAD not in lines or lines[-1] != _END:
        said = lines[-1] if lines else "nothing"
        raise GedgeError(
            f"the look into the image did not come to its end; it said last: {said}",
            place=image,
            remedy="try again; the image may replace the programs that it uses (sh, find, python)",
        )
    files = [line for kind, line in map(_split, lines) if kind == "file"]
    env = {name: value for kind, line in map(_split, lines) if kind == "env" for name, value in [_split(line)]}
    gpus = [found for kind, line in map(_split, lines) if kind == "gpu" and (found := re.fullmatch(_GPU, line))]
    return ImageReport(
        image=image,
        cuda=_cuda(env, files),
        cudnn=_newest([*_in_env(env, _CUDNN_ENV), *_in_files(files, _CUDNN_FILES)]),
        tensorrt=_newest([*_in_env(env, _TENSORRT_ENV), *_in_files(files, _TENSORRT_FILES)]),
        frameworks=_frameworks(lines, files),
        compat=_newest(_in_files(files, (_COMPAT,))),
        require=env.get("NVIDIA_REQUIRE_CUDA", ""),
        node=place.node,
        driver=next((one[1] for line in lines if (one := re.match(rf"kernel .*{_KERNEL}", line))), None),
        gpus=tuple(
            SeenGpu(name=one[3], driver=one[1], compute_capability=one[2] if re.fullmatch(r"[\d.]+", one[2]) else None)
            for one in gpus
        ),
        notes=tuple(_notes(lines, place, env.get(_EMULATED, ""), sees_gpus=bool(gpus))),
    )


def _notes(lines: Sequence[str], place: Place, emulated: str, *, sees_gpus: bool) -> Iterator[str]:
    if "without find" in lines:
        yield "the image has no find: only the usual folders were looked at"
    if place.resource and emulated:
        yield f"EMULATED: what {place.node} gives as {place.resource} is no GPU ({emulated})"
    elif place.resource and not sees_gpus:
        yield (
            f"the pod got {place.resource} of {place.node}, and nvidia-smi shows no GPU in its container: look at the "
            "toolkit (docs/first-gpu-host.md)"
        )


def _split(line: str) -> tuple[str, str]:
    kind, _, rest = line.partition(" ")
    return kind, rest


def _in_env(env: dict[str, str], names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if found := re.match(r"\d+(?:\.\d+)*", env.get(name, "")):
            yield found[0]


def _in_files(files: Iterable[str], patterns: Sequence[str]) -> Iterator[str]:
    for file in files:
        for pattern in patterns:
            if (found := re.search(pattern, file)) and "/stubs/" not in file:
                yield found[1]


def _newest(found: Iterable[str]) -> str | None:
    """Return the newest version; of one library, its file says more than its name (8.9.7 and 8)."""
    return max(found, key=lambda version: (numbers(version), len(version)), default=None)


def _cuda(env: dict[str, str], files: Sequence[str]) -> tuple[str, ...]:
    """Return each CUDA runtime once, newest first: by two numbers, or by the family where nothing tells more."""
    exact: dict[tuple[int, ...], str] = {}
    families: set[int] = set()
    for version in [*_in_env(env, _CUDA_ENV), *_in_files(files, _CUDA_FILES)]:
        if "." not in version or version in _FAMILY_NAMES:
            families.add(numbers(version)[0])
        else:
            exact.setdefault(numbers(version)[:2], version)
    vague = families - {key[0] for key in exact}
    return tuple(sorted([*exact.values(), *map(str, vague)], key=numbers, reverse=True))


def _frameworks(lines: Sequence[str], files: Sequence[str]) -> tuple[Framework, ...]:
    """Return the frameworks: by Python where there is one, else by the names of their folders."""
    versions: dict[str, str] = {}
    built: dict[tuple[str, str], str] = {}
    for file in files:
        if found := re.search(_FRAMEWORK, file):
            versions.setdefault(found[1].replace("_", "-"), found[2])
    for line in lines:
        words = line.split()
        match words:
            case ["python", name, version] if re.match(r"\d", version):
                versions[name] = version
            case ["built", name, library, version]:
                built[name, library] = version.strip(".")
    return tuple(
        Framework(name=name, version=version, cuda=built.get((name, "cuda")), cudnn=built.get((name, "cudnn")))
        for name, version in sorted(versions.items())
    )
