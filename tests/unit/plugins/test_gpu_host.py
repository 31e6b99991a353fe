"""What a host shows of its GPUs, from the files that it has; the hosts here are folders, and no GPU is near."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils import gpu_host

KERNEL = "6.12.9"
EFI = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def write(root: Path, path: str, content: str | bytes = "") -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())


def card(root: Path, address: str, vendor: str = "0x10de", kind: str = "0x030200") -> None:
    write(root, f"sys/bus/pci/devices/{address}/vendor", f"{vendor}\n")
    write(root, f"sys/bus/pci/devices/{address}/class", f"{kind}\n")


def look(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = gpu_host.find(str(root), KERNEL)
    return found


def test_gpus_are_found_on_the_pci_bus_and_their_sound_devices_are_not(tmp_path: Path) -> None:
    card(tmp_path, "0000:81:00.0")
    card(tmp_path, "0000:01:00.0", kind="0x030000")
    card(tmp_path, "0000:01:00.1", kind="0x040300")
    card(tmp_path, "0000:02:00.0", vendor="0x8086")
    assert look(tmp_path)["devices"] == ["0000:01:00.0", "0000:81:00.0"]


def test_a_bare_host_shows_nothing(tmp_path: Path) -> None:
    assert look(tmp_path) == {
        "devices": [],
        "distribution": "unknown",
        "driver_on_host": False,
        "headers": False,
        "kernel": KERNEL,
        "nouveau": False,
        "secure_boot": "none",
    }


@pytest.mark.parametrize(("content", "state"), [(b"\x06\0\0\0\x01", "on"), (b"\x06\0\0\0\0", "off")])
def test_secure_boot_is_the_byte_after_the_attributes(tmp_path: Path, content: bytes, state: str) -> None:
    write(tmp_path, EFI, content)
    assert look(tmp_path)["secure_boot"] == state


def test_nouveau_stays_away_where_the_operator_installs_the_driver(tmp_path: Path) -> None:
    write(tmp_path, f"lib/modules/{KERNEL}/modules.dep", "kernel/drivers/gpu/drm/nouveau/nouveau.ko.xz: a.ko\n")
    assert gpu_host.kernel_arguments(look(tmp_path), "operator") == []
    card(tmp_path, "0000:01:00.0")
    found = look(tmp_path)
    assert gpu_host.kernel_arguments(found, "operator") == ["modprobe.blacklist=nouveau"]
    assert gpu_host.kernel_arguments(found, "preinstalled") == []
    write(tmp_path, "etc/modprobe.d/own.conf", "options x y=1\nblacklist nouveau\n")
    assert gpu_host.kernel_arguments(look(tmp_path), "operator") == []


def test_one_class_for_hosts_with_a_driver_and_one_for_hosts_without(tmp_path: Path) -> None:
    """The "driver" is an empty file under the name of NVIDIA's program."""
    with_driver, without = tmp_path / "with", tmp_path / "without"
    for root in (with_driver, without):
        card(root, "0000:01:00.0")
        write(root, f"lib/modules/{KERNEL}/build/Makefile")
    write(with_driver, "usr/bin/nvidia-smi")
    judged = {
        (name, driver): (list(gpu_host.problems(found, driver)), list(gpu_host.remarks(found, driver)))
        for name, found in (("with", look(with_driver)), ("without", look(without)))
        for driver in ("operator", "preinstalled")
    }
    assert judged["with", "preinstalled"] == judged["without", "operator"] == ([], [])
    assert "there is no nvidia-smi on the host -> install" in judged["without", "preinstalled"][0][0]
    assert "the host has a driver of its own" in judged["with", "operator"][1][0]


def test_secure_boot_refuses_a_driver_that_nobody_signs(tmp_path: Path) -> None:
    write(tmp_path, EFI, b"\x06\0\0\0\x01")
    assert list(gpu_host.problems(look(tmp_path), "operator")) == []  # no GPU, no driver
    card(tmp_path, "0000:01:00.0")
    (said,) = gpu_host.problems(look(tmp_path), "operator")
    assert said.startswith("Secure Boot is on")
    assert list(gpu_host.problems(look(tmp_path), "none")) == []


def test_there_is_no_driver_container_for_debian(tmp_path: Path) -> None:
    write(tmp_path, "etc/os-release", "ID=debian\nVERSION_ID=12\n")
    assert list(gpu_host.problems(look(tmp_path), "operator")) == []  # no GPU, no driver
    card(tmp_path, "0000:01:00.0")
    (said,) = gpu_host.problems(look(tmp_path), "operator")
    assert said.startswith("NVIDIA publishes no container of its driver for Debian -> install the driver on the host")
    write(tmp_path, "usr/bin/nvidia-smi")
    for driver in ("operator", "preinstalled", "none"):
        assert list(gpu_host.problems(look(tmp_path), driver)) == []


def test_what_is_no_obstacle_is_a_remark(tmp_path: Path) -> None:
    assert "no NVIDIA GPU on the PCI bus" in next(gpu_host.remarks(look(tmp_path), "operator"))
    card(tmp_path, "0000:01:00.0")
    assert f"no headers of the kernel {KERNEL}" in next(gpu_host.remarks(look(tmp_path), "operator"))
    write(tmp_path, f"usr/src/linux-headers-{KERNEL}/Makefile")
    assert list(gpu_host.remarks(look(tmp_path), "operator")) == []
