"""The table of GPU operators: what goes with which, and what is known not to. It is read from data/gpu.yml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from gedge_provision.models.base import Document
from gedge_provision.models.gpu import PeerAccess
from gedge_provision.models.gpu_operator import Allocation, KernelModules, MigStrategy

__all__ = [
    "DraNeeds",
    "GpuVersions",
    "KnownBad",
    "Minors",
    "OperatorDrivers",
    "OperatorRow",
    "Remark",
    "SettingNeeds",
    "numbers",
    "starts_with",
]

Version = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)*(-[\w.-]+)?$")]
Text = Annotated[str, StringConstraints(min_length=10)]


def numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers to compare: 595.91.07 is (595, 91, 7)."""
    return tuple(int(part) for part in version.partition("-")[0].split("."))


def starts_with(version: str, beginning: str) -> bool:
    """Tell whether a version is one of those that a beginning names: 2.3 names 2.3.4, and not 2.30.1."""
    wanted = numbers(beginning)
    return numbers(version)[: len(wanted)] == wanted


class Minors(Document):
    """Minor versions of Kubernetes, from the first to the last."""

    first: Version
    last: Version

    def hold(self, version: str) -> bool:
        """Tell whether a version is of these."""
        return numbers(self.first) <= numbers(version)[:2] <= numbers(self.last)


class OperatorDrivers(Document):
    """Which drivers an operator goes with."""

    default: Version
    minimum: Version


class DraNeeds(Document):
    """What allocation by claims needs at least."""

    driver: Version
    kubernetes: Version


class OperatorRow(Document):
    """One version of the operator."""

    version: Version
    kubernetes: Minors
    containerd: Annotated[tuple[Version, ...], Field(min_length=1)]
    nri: Annotated[tuple[Version, ...], Field(min_length=1)]
    drivers: OperatorDrivers
    dra: DraNeeds | None = None
    components: dict[str, Version]
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]


class KnownBad(Document):
    """A combination that does not work; it applies where everything that is given does."""

    containerd: tuple[Version, ...] = ()
    drivers: tuple[Version, ...] = ()
    nri: bool | None = None
    mig_strategy: MigStrategy | None = None
    reason: Text
    remedy: Text
    source: Text


class Remark(Document):
    """What a person should know of a combination that is not refused."""

    operators: tuple[Version, ...] = ()
    allocation: Allocation | None = None
    nri: bool | None = None
    sharing: str | None = None
    gpudirect_rdma: PeerAccess | None = None
    dcgm_exporter: bool | None = None
    text: Text
    source: Text


class SettingNeeds(Document):
    """The least driver for a setting."""

    kernel_modules: KernelModules
    driver: Version
    remedy: Text
    source: Text


class GpuVersions(Document):
    """The table."""

    operators: Annotated[tuple[OperatorRow, ...], Field(min_length=1)]
    known_bad: tuple[KnownBad, ...]
    remarks: tuple[Remark, ...]
    needs: tuple[SettingNeeds, ...]

    def operator(self, version: str) -> OperatorRow | None:
        """Return the row of a version of the operator; None where it is unknown."""
        return next((row for row in self.operators if row.version == version), None)
