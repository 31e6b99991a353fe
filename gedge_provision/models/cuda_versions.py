"""The table of CUDA versions: which driver and GPUs each is for, what frameworks were built for. See data/cuda.yml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gedge_provision.models.base import Document, Integer
from gedge_provision.models.gpu_versions import Text, Version, numbers, starts_with

__all__ = ["CudaFamily", "CudaGpus", "CudaReleases", "CudaVersions", "Stack", "same_libraries", "short"]

_FIRST_FAMILY = 11


class CudaReleases(Document):
    """The driver that came with the first release of each version."""

    source: Text
    drivers: Annotated[dict[Version, Version], Field(min_length=1)]


class CudaFamily(Document):
    """The least driver for all versions with one first number."""

    major: Integer
    driver: Version
    source: Text


class CudaGpus(Document):
    """Compute capabilities that a version, and those after it until the next row, has code for."""

    cuda: Version
    first: Version
    last: Version
    named: Text
    source: Text


class Stack(Document):
    """What a published framework was built for."""

    name: str = ""
    framework: str
    version: Version
    cuda: Version
    cudnn: Version
    tensorrt: Version | None = None
    source: Text


class CudaVersions(Document):
    """The table."""

    releases: CudaReleases
    families: tuple[CudaFamily, ...]
    gpus: tuple[CudaGpus, ...]
    stacks: tuple[Stack, ...]

    def came_with(self, cuda: str) -> str | None:
        """Return the driver that came with a CUDA; None where it is unknown."""
        return self.releases.drivers.get(short(cuda))

    def oldest(self) -> str:
        """Return the driver of the oldest row: enough for all that is older, too."""
        return min(self.releases.drivers.values(), key=numbers)

    def newest_for(self, driver: str) -> str | None:
        """Return the newest CUDA whose own driver is not newer than this one."""
        able = [cuda for cuda, least in self.releases.drivers.items() if numbers(least) <= numbers(driver)]
        return max(able, key=numbers, default=None)

    def family(self, cuda: str) -> CudaFamily | None:
        """Return the family of a CUDA; None before 11, and where it is unknown."""
        return next((one for one in self.families if one.major == numbers(cuda)[0]), None)

    def gpus_of(self, cuda: str) -> CudaGpus | None:
        """Return which GPUs a CUDA has code for; None where only its family is known, or it is not in the table."""
        if "." not in cuda or numbers(cuda)[0] > max(one.major for one in self.families):
            return None
        rows = [row for row in self.gpus if numbers(row.cuda) <= numbers(cuda)]
        return max(rows, key=lambda row: numbers(row.cuda), default=None)

    def stack(self, framework: str, version: str) -> Stack | None:
        """Return what a published framework was built for."""
        name = framework.removesuffix("-gpu")
        return next((row for row in self.stacks if row.framework == name and starts_with(version, row.version)), None)


def short(cuda: str) -> str:
    """Return the first two numbers of a version: 10.1 of 10.1.243."""
    return ".".join(map(str, numbers(cuda)[:2]))


def same_libraries(one: str, other: str) -> bool:
    """Tell whether libraries of two CUDA versions have one name: libcudart.so.10.1; from 11 on a family has one."""
    first, second = numbers(one), numbers(other)
    if first[0] >= _FIRST_FAMILY or second[0] >= _FIRST_FAMILY:
        return first[0] == second[0]
    return first[:2] == second[:2]
