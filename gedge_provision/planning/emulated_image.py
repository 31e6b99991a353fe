"""What the emulator and the disk of emulated nodes are made of, as data, and how a BIOS starts the disk. Pure."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping

from gedge_provision.models.base_image import EmulationPlan, Mirrors, Recipe
from gedge_provision.models.emulation import Kernel
from gedge_provision.planning.base_image import KEYRING, apt_sources, packages

__all__ = ["DISK_BYTES", "PARTITION_AT", "boot_area", "emulation_plan", "probe_sector"]

_SUITE, _BACKPORTS = "trixie", "trixie-backports"
_KERNEL = "linux-image-amd64"
DISK_BYTES, PARTITION_AT = 16 << 30, 1 << 20
_SECTOR = 512
_TABLE_AT, _SIGNATURE_AT = 446, 510
_LINUX, _ACTIVE, _BEYOND_CHS = 0x83, 0x80, b"\xfe\xff\xff"


def emulation_plan(
    files: Mapping[str, bytes], common_packages: str, tool_version: str, where: Mirrors, kernel: Kernel
) -> EmulationPlan:
    """Return how emulator and disk are made.

    Args:
        files: the recipe's folder: packages.txt, qemu.txt, setup.sh and all below rootfs/, by relative path.
        common_packages: the package list of container nodes.
        tool_version: what `mmdebstrap --version` says.
        where: mirrors; they do not count for the digests.
        kernel: which of Debian's kernels the disk has.
    """
    sources = apt_sources(_SUITE, where) + f"deb [signed-by={KEYRING}] {where.archive} {_BACKPORTS} main\n"
    emulator = packages(files["qemu.txt"].decode())
    guest = tuple(dict.fromkeys(packages(common_packages) + packages(files["packages.txt"].decode())))
    if kernel == "backports":
        guest = tuple(f"{name}/{_BACKPORTS}" if name == _KERNEL else name for name in guest)
    content = [name.encode() + b"\0" + text for name, text in sorted(files.items()) if name != "qemu.txt"]
    return EmulationPlan(
        # Only the emulator prefers a suite as a whole: the guest's packages each say what they are from.
        emulator=Recipe(_SUITE, emulator, sources, _digest(tool_version, emulator, [_BACKPORTS.encode()]), _BACKPORTS),
        guest=Recipe(_SUITE, guest, sources, _digest(tool_version, guest, content)),
    )


def _digest(tool_version: str, names: Iterable[str], content: Iterable[bytes]) -> str:
    digest = hashlib.sha256(f"{_SUITE}\0{tool_version}\0{DISK_BYTES}\0".encode())
    for part in [*(name.encode() for name in names), *content]:
        digest.update(f"{len(part)}\0".encode() + part)
    return digest.hexdigest()[:16]


def boot_area(boot: bytes, core: bytes) -> bytes:
    """Return what lies before the only partition of the disk: GRUB's first sector, a partition table, GRUB's core.

    Written so, the core needs no installation: the first sector looks for it in the next, it for its rest in those that
    follow (GRUB's boot.S and diskboot.S).

    Args:
        boot: GRUB's boot.img.
        core: the image that grub-mkimage made.

    Raises:
        ValueError: the core does not fit.
    """
    if _SECTOR + len(core) > PARTITION_AT:
        raise ValueError(f"GRUB's core of {len(core)} bytes does not fit before the partition")
    first, sectors = PARTITION_AT // _SECTOR, (DISK_BYTES - PARTITION_AT) // _SECTOR
    entry = struct.pack("<B3sB3sII", _ACTIVE, _BEYOND_CHS, _LINUX, _BEYOND_CHS, first, sectors)
    table = entry.ljust(_SIGNATURE_AT - _TABLE_AT, b"\0") + b"\x55\xaa"
    return boot[:_TABLE_AT] + table + core


def probe_sector() -> bytes:
    """Return a boot sector that ends its machine through the device isa-debug-exit: `mov al, 42; out 0xf4, al; hlt`."""
    return b"\xb0\x2a\xe6\xf4\xf4".ljust(_SIGNATURE_AT, b"\0") + b"\x55\xaa"
