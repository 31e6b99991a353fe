"""Hosts that cannot give pods the RDMA that is asked for are refused, each with the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils import kernel_modules, rdma

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


def found(release: str, modprobe: str | None = None, **asked: Any) -> list[str]:
    wishes = {"soft": [], "exclusive": [], "shared": [], **asked}
    return list(rdma.problems(Commands(modprobe), wishes, MODULES, release))


def soft(release: str, modprobe: str | None = None) -> list[str]:
    return found(release, modprobe, soft=["default/data"])


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with one RDMA card, shared between namespaces, and a software link."""
    parent = tmp_path / "infiniband" / "mlx5_0" / "device"
    (parent / "net" / "ens1").mkdir(parents=True)
    (parent / "vendor").write_text("0x15b3\n")
    (parent / "device").write_text("0x1017\n")
    (tmp_path / "mlx5_core").mkdir()
    (parent / "driver").symlink_to(tmp_path / "mlx5_core")
    (tmp_path / "infiniband" / "rxe_1").mkdir()
    mode = tmp_path / "netns_mode"
    mode.write_text("Y\n")
    monkeypatch.setattr(kernel_modules, "RDMA_DEVICES", str(tmp_path / "infiniband"))
    monkeypatch.setattr(rdma, "DEVICES", str(tmp_path / "infiniband"))
    monkeypatch.setattr(rdma, "NETNS_MODE", str(mode))
    return mode


@pytest.mark.parametrize("release", ["6.12.43+deb13-amd64", "7.0.9", "5.15.0-1-generic", "strange"])
def test_a_kernel_without_it_is_refused(release: str) -> None:
    (problem,) = soft(release)
    assert problem.startswith("attachment default/data asks for software RDMA (rdma: soft)")
    assert f"this host runs {release} -> upgrade its kernel" in problem


@pytest.mark.parametrize("release", ["7.1.0", "7.3.4+deb13-amd64", "10.0.1"])
def test_a_kernel_with_it_is_taken(release: str) -> None:
    assert soft(release) == []


def test_a_kernel_without_the_module_is_refused() -> None:
    (problem,) = soft("7.3.4", "/sbin/modprobe")
    assert "lacks the modules rdma_rxe -> install the kernel package" in problem


def test_nothing_is_needed_where_nobody_asks() -> None:
    assert found("6.1.0") == []


@pytest.mark.usefixtures("card")
def test_software_rdma_and_hardware_do_not_share_a_host() -> None:
    assert kernel_modules.software_links() == ["rxe_1"]
    assert kernel_modules.hardware_links() == ["mlx5_0"]
    (problem,) = soft("7.3.4")
    assert "RDMA hardware (mlx5_0)" in problem


def test_software_rdma_needs_the_shared_mode(card: Path) -> None:
    card.write_text("N\n")
    assert "links of pods do not get to them -> take netns_mode=0 out" in soft("7.3.4")[0]


def test_devices_of_one_pod_alone_need_the_exclusive_mode(card: Path) -> None:
    (problem,) = found("6.1.0", exclusive=["default/fast"])
    assert problem.startswith("attachment default/fast gives pods RDMA devices of their own (rdma: exclusive)")
    assert "options ib_core netns_mode=0" in problem
    card.write_text("N\n")
    assert found("6.1.0", exclusive=["default/fast"]) == []
    card.unlink()
    (problem,) = found("6.1.0", exclusive=["default/fast"])
    assert "has no RDMA here -> load the driver" in problem


@pytest.mark.parametrize(
    "nics", [{"vendor": "15b3"}, {"device": "1017", "driver": "mlx5_core"}, {"interfaces": ["ens1", "ens2"]}]
)
def test_cards_to_share_are_found(card: Path, nics: dict[str, Any]) -> None:
    shared = [{"resource": "rdma/hca", "nics": nics}]
    assert found("6.1.0", shared=shared) == []
    card.write_text("N\n")
    (problem,) = found("6.1.0", shared=shared)
    assert "to one network namespace alone -> take netns_mode=0 out" in problem


@pytest.mark.usefixtures("card")
@pytest.mark.parametrize("nics", [{"vendor": "8086"}, {"interfaces": ["ens9"]}, {"vendor": "15b3", "driver": "irdma"}])
def test_no_card_to_share_is_refused_with_what_is_there(nics: dict[str, Any]) -> None:
    (problem,) = found("6.1.0", shared=[{"resource": "rdma/hca", "nics": nics}])
    assert problem.startswith("shared_rdma rdma/hca selects no RDMA device -> such devices here: mlx5_0 15b3:1017")
