"""Hosts whose pods cannot have software RDMA are refused, each with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugins.module_utils import kernel_modules, soft_rdma

MODULES = {"rdma_rxe": "/sys/module/no_such_module"}


class Commands:
    """What an Ansible module gives: no modprobe on this host, or one by path."""

    def __init__(self, modprobe: str | None = None) -> None:
        self.modprobe = modprobe

    def get_bin_path(self, _name: str) -> str | None:
        return self.modprobe

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        assert command[-1] in MODULES
        return 1, "", ""


def found(release: str, modprobe: str | None = None) -> list[str]:
    return list(soft_rdma.problems(Commands(modprobe), ["default/data"], MODULES, release))


@pytest.mark.parametrize("release", ["6.12.43+deb13-amd64", "7.0.9", "5.15.0-1-generic", "strange"])
def test_a_kernel_without_it_is_refused(release: str) -> None:
    (problem,) = found(release)
    assert problem.startswith("attachment default/data asks for software RDMA (rdma: soft)")
    assert f"this host runs {release} -> upgrade its kernel" in problem


@pytest.mark.parametrize("release", ["7.1.0", "7.3.4+deb13-amd64", "10.0.1"])
def test_a_kernel_with_it_is_taken(release: str) -> None:
    assert found(release) == []


def test_a_kernel_without_the_module_is_refused() -> None:
    (problem,) = found("7.3.4", "/sbin/modprobe")
    assert "lacks the modules rdma_rxe -> install the kernel package" in problem


def test_nothing_is_needed_where_nobody_asks() -> None:
    assert list(soft_rdma.problems(Commands(), [], MODULES, "6.1.0")) == []


def test_links_are_told_from_hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlx5_0" / "device").mkdir(parents=True)
    (tmp_path / "rxe_1").mkdir()
    monkeypatch.setattr(kernel_modules, "RDMA_DEVICES", str(tmp_path))
    assert kernel_modules.software_links() == ["rxe_1"]
    assert kernel_modules.hardware_links() == ["mlx5_0"]
    (problem,) = found("7.3.4")
    assert "RDMA hardware (mlx5_0)" in problem
