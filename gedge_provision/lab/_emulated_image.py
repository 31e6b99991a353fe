"""The emulator and the disk that emulated nodes begin with: made once, found by the content of their recipe."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gedge_provision.adapters import base_image, emulated_image, emulator
from gedge_provision.models.base_image import EmulationPlan
from gedge_provision.models.emulation import Accelerator, Kernel
from gedge_provision.models.lab import LabNode
from gedge_provision.models.progress import Reporter
from gedge_provision.planning.base_image import mirrors
from gedge_provision.planning.emulated_image import DISK_BYTES, PARTITION_AT, boot_area, emulation_plan, probe_sector
from gedge_provision.planning.emulation import PROBE_EXIT_CODE, probe

__all__ = ["Parts", "ensure_parts"]

_RECIPE = Path(__file__).parent / "emulated"
_COMMON = Path(__file__).parent / "image"
_LAYOUT = emulated_image.Layout(DISK_BYTES, PARTITION_AT, boot_area)


@dataclass(frozen=True)
class Parts:
    """What emulated nodes are made from: the unpacked emulator, the disks by kernel, what runs their processors."""

    tree: Path
    disks: dict[Kernel, Path]
    accelerator: Accelerator
    host_cpus: int

    def disk(self, node: LabNode) -> Path:
        """Return the disk that a node begins with."""
        kernel: Kernel = node.hardware.kernel if node.hardware else "backports"
        return self.disks[kernel]


def ensure_parts(kernels: frozenset[Kernel], reporter: Reporter) -> Parts:
    """Return the emulator and a disk for each kernel, making what is not there."""
    where = mirrors(*base_image.host_apt_sources())
    files = base_image.recipe_files(_RECIPE)
    common = (_COMMON / "packages.txt").read_text(encoding="utf-8")
    tool = base_image.tool_version()
    plans = {kernel: emulation_plan(files, common, tool, where, kernel) for kernel in sorted(kernels)}
    first = next(iter(plans.values()))
    tree = emulated_image.emulator_path(first.emulator)
    _ensure("emulator", tree, reporter, partial(emulated_image.build_emulator, first.emulator))
    disks = {kernel: emulated_image.disk_path(plan.guest) for kernel, plan in plans.items()}
    for kernel, plan in plans.items():
        name = f"disk of emulated nodes (kernel: {kernel})"
        _ensure(name, disks[kernel], reporter, partial(_build_disk, plan))
    return Parts(tree, disks, _accelerator(tree), len(os.sched_getaffinity(0)))


def _build_disk(plan: EmulationPlan, work: Path) -> None:
    emulated_image.build_disk(plan.guest, _RECIPE, _COMMON / "rootfs" / "etc" / "ssh", work, _LAYOUT)


def _ensure(name: str, made: Path, reporter: Reporter, build: Callable[[Path], None]) -> None:
    reporter.start(name)
    if made.exists():
        reporter.finish(name, "unchanged")
        return
    try:
        reporter.update(name, "waits for another build")
        with base_image.building() as work:
            if not made.exists():
                reporter.update(name, "mmdebstrap (up to two minutes, once)")
                build(work)
    except BaseException:
        reporter.finish(name, "failed")
        raise
    reporter.finish(name)


def _accelerator(tree: Path) -> Accelerator:
    with base_image.building() as work:
        sector = work / "probe.img"
        sector.write_bytes(probe_sector())
        return "kvm" if emulator.kvm_works(probe(tree, sector), PROBE_EXIT_CODE) else "tcg"
