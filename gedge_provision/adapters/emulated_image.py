"""The emulator and the disk of emulated nodes: made once from Debian packages, kept beside the base images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gedge_provision.adapters.base_image import base_folder, bootstrap
from gedge_provision.adapters.processes import run
from gedge_provision.models.base_image import Recipe

__all__ = ["Layout", "build_disk", "build_emulator", "disk_path", "emulator_path"]

_LIMIT_S = 600
# Features that GRUB does not read, or that cost an emulated processor more than they are worth to a lab.
_FEATURES = "^metadata_csum,^metadata_csum_seed,^orphan_file"
_BOOT, _CORE = "usr/lib/grub/i386-pc/boot.img", "boot/grub/core.img"


@dataclass(frozen=True)
class Layout:
    """Where things lie on a disk, in bytes; `boot_area` makes what comes before the partition from GRUB's two parts."""

    size: int
    partition_at: int
    boot_area: Callable[[bytes, bytes], bytes]


def emulator_path(plan: Recipe) -> Path:
    """Return where the unpacked emulator of a recipe lies, or will."""
    return base_folder() / f"qemu-{plan.digest}"


def disk_path(plan: Recipe) -> Path:
    """Return where the disk of a recipe lies, or will."""
    return base_folder() / f"disk-{plan.digest}.img"


def build_emulator(plan: Recipe, work: Path) -> None:
    """Unpack the emulator with all that it depends on; nothing of it is installed or started.

    Raises:
        CommandError: mmdebstrap failed.
    """
    made = work / "qemu"
    bootstrap(plan, made, work, "--variant=extract")
    made.rename(emulator_path(plan))


def build_disk(plan: Recipe, recipe_folder: Path, ssh_settings: Path, work: Path, layout: Layout) -> None:
    """Install the tree of a recipe and put it on a disk with a boot area and one ext4 partition.

    Raises:
        CommandError: mmdebstrap or mke2fs failed.
    """
    tree, made = work / "tree", work / "disk.img"
    bootstrap(
        plan,
        tree,
        work,
        "--variant=minbase",
        f"--customize-hook=copy-in {recipe_folder / 'rootfs' / 'etc'} /",
        f"--customize-hook=copy-in {ssh_settings} /etc",
        f"--customize-hook={recipe_folder / 'setup.sh'}",
    )
    with made.open("wb") as file:
        file.write(layout.boot_area((tree / _BOOT).read_bytes(), (tree / _CORE).read_bytes()))
        file.truncate(layout.size)
    run(
        [
            *("mke2fs", "-q", "-F", "-t", "ext4", "-L", "gedge-root", "-m", "0", "-O", _FEATURES),
            *("-E", f"offset={layout.partition_at},root_owner=0:0", "-d", str(tree), str(made)),
            f"{(layout.size - layout.partition_at) // 1024}k",
        ],
        timeout_s=_LIMIT_S,
    )
    made.rename(disk_path(plan))
