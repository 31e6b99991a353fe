"""Kernel arguments through GRUB: in a folder, with an `update-grub` that does what Debian's does."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from gedge_provision.models.changes import Change
from gedge_provision.planning import offline_kernel
from plugins.module_utils import host_state, kernel_boot
from plugins.module_utils.kernel_boot import BootLoaderError, KernelBoot, holds
from plugins.modules import kernel_arguments

OWN = "linux /vmlinuz root=LABEL=own ro quiet\n"
MKCONFIG = """#!/bin/sh
GRUB_CMDLINE_LINUX_DEFAULT=quiet
for file in {folder}/settings.d/*.cfg; do [ -e "$file" ] && . "$file"; done
echo "# $(cat {folder}/kernels)"
echo "linux /vmlinuz root=UUID=1 ro $GRUB_CMDLINE_LINUX_DEFAULT"
"""


class Host:
    """A host in a folder, and what a module asks of Ansible's there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.boots = folder, 1
        (folder / "bin").mkdir()
        (folder / "kernels").write_text("7.3.4")
        (folder / "grub.cfg").write_text(OWN)
        self.program("grub-mkconfig", MKCONFIG.format(folder=folder))
        self.program("update-grub", f"#!/bin/sh\n{folder}/bin/grub-mkconfig > {folder}/grub.cfg\n")
        self.facts: dict[str, Any] = {"container": False, "iommu": False, "intel_iommu": True}
        self.reboot()

    def program(self, name: str, text: str) -> None:
        (self.folder / "bin" / name).write_text(text)
        (self.folder / "bin" / name).chmod(0o755)

    def get_bin_path(self, name: str) -> str | None:
        return shutil.which(name, path=str(self.folder / "bin"))

    def run_command(self, argv: list[str]) -> tuple[int, str, str]:
        done = subprocess.run([self.folder / "bin" / argv[0]], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    @property
    def grub_cfg(self) -> str:
        return (self.folder / "grub.cfg").read_text()

    def reboot(self) -> None:
        self.boots += 1
        line = next(line for line in self.grub_cfg.splitlines() if line.startswith("linux"))
        self.facts |= {"boot_id": str(self.boots), "cmdline": line.split()[2:]}
        self.facts["iommu"] = "intel_iommu=on" in line

    def look(self, *arguments: str, iommu: bool = False) -> KernelBoot:
        return KernelBoot(self, list(arguments), iommu, self.facts)

    def apply(self, *arguments: str, iommu: bool = False) -> None:
        self.look(*arguments, iommu=iommu).change()
        self.reboot()
        self.look(*arguments, iommu=iommu).settle()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(host_state, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(kernel_boot, "SETTINGS", str(tmp_path / "settings.d" / "90-gedge.cfg"))
    monkeypatch.setattr(kernel_boot, "GRUB_CFG", str(tmp_path / "grub.cfg"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return Host(tmp_path)


def due(found: KernelBoot) -> tuple[bool, bool]:
    return found.settings_due(), found.reboot_due()


def test_arguments_come_with_a_reboot_and_go_byte_for_byte(host: Host) -> None:
    assert due(host.look()) == (False, False)
    found = host.look("a=1", "b")
    assert due(found) == (True, True)
    assert [(one["kind"], one["name"], one["action"]) for one in found.changes()[0]][:2] == [
        ("kernel_argument", "a=1", "add"),
        ("kernel_argument", "b", "add"),
    ]
    found.change()
    assert host.grub_cfg.endswith("ro quiet a=1 b\n")
    assert due(host.look("a=1", "b")) == (False, True)
    with pytest.raises(BootLoaderError, match="runs without the arguments a=1 b"):
        host.look("a=1", "b").settle()
    host.reboot()
    assert due(host.look("a=1", "b")) == (False, False)
    host.look("a=1", "b").settle()

    host.look().change()
    assert due(host.look()) == (False, True)
    assert host.grub_cfg == OWN
    host.reboot()
    host.look().settle()
    assert due(host.look()) == (False, False)
    assert not (host.folder / "settings.d").exists()
    assert not (host.folder / "state").exists()


STEPS: list[tuple[list[str], bool]] = [
    (["a=1", "b"], False),
    (["b", "a=1"], False),
    (["b", "c"], True),
    (["c", "iommu=nopt"], True),
    (["c"], False),
    ([], False),
]


def test_an_offline_plan_says_the_same(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SETTINGS", "GRUB_CFG"):
        monkeypatch.setattr(offline_kernel, name, getattr(kernel_boot, name))
    made: set[Change] = set()
    none = {"gpu_operator_driver": "none"}
    before: dict[str, Any] = {"kernel_arguments_list": [], "kernel_arguments_iommu": False, **none}
    for arguments, iommu in STEPS:
        changes = [Change(**one) for one in host.look(*arguments, iommu=iommu).changes()[0]]
        wanted = {"kernel_arguments_list": arguments, "kernel_arguments_iommu": iommu, **none}
        if not iommu or before["kernel_arguments_iommu"]:  # otherwise only the host knows
            planned = list(offline_kernel.kernel_changes("h1", tuple(made), before, wanted, drain=False))
            assert planned == [*changes, Change("host", "h1", "reboot")]
        host.apply(*arguments, iommu=iommu)
        gone = {(change.kind, change.name) for change in changes if change.action == "remove"}
        made = {change for change in made if (change.kind, change.name) not in gone}
        made |= {change for change in changes if change.action in ("add", "create")}
        before = wanted


@pytest.mark.usefixtures("host")
def test_a_reboot_is_told_by_the_node_s_name(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = {"state": "booted", "node_name": "h1.of.cluster", "_ansible_check_mode": True}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        kernel_arguments.main()
    told = json.loads(capsys.readouterr().out)["objects"]
    assert told == [{"kind": "host", "name": "h1.of.cluster", "action": "reboot"}]


def test_a_change_back_before_the_reboot_needs_none(host: Host) -> None:
    host.look("a=1").change()
    host.look().change()
    assert due(host.look()) == (False, False)
    assert host.grub_cfg == OWN


def test_fewer_arguments_need_a_reboot_too(host: Host) -> None:
    host.apply("a=1", "b")
    assert due(host.look("a=1")) == (True, True)
    host.apply("a=1")
    assert due(host.look("a=1")) == (False, False)


def test_a_menu_for_other_kernels_is_generated_anew(host: Host) -> None:
    host.apply("a=1")
    (host.folder / "kernels").write_text("7.4.0")
    host.apply()
    assert host.grub_cfg == "# 7.4.0\nlinux /vmlinuz root=UUID=1 ro quiet\n"


@pytest.mark.parametrize("arguments", [("a=1",), ()])
def test_a_killed_change_is_due_and_is_finished(host: Host, arguments: tuple[str, ...]) -> None:
    if not arguments:
        host.apply("a=1")
    works = (host.folder / "bin" / "update-grub").read_text()
    host.program("update-grub", "#!/bin/sh\nexit 1\n")
    with pytest.raises(BootLoaderError, match="update-grub"):
        host.look(*arguments).change()
    assert host.look(*arguments).settings_due()
    host.program("update-grub", works)
    host.apply(*arguments)
    assert due(host.look(*arguments)) == (False, False)
    assert host.grub_cfg == OWN or arguments


def test_what_the_owner_gives_already_is_left_to_the_owner(host: Host) -> None:
    (host.folder / "grub.cfg").write_text("linux /vmlinuz ro a=1 b quiet\n")
    host.reboot()
    assert due(host.look("a=1", "b")) == (False, False)
    assert due(host.look("b", "a=1")) == (True, True)
    (host.folder / "bin" / "update-grub").unlink()
    assert host.look("a=1").problem == ""


def test_another_boot_loader_is_refused(host: Host) -> None:
    (host.folder / "bin" / "update-grub").unlink()
    problem = host.look("a=1").problem
    assert "boot loader is not GRUB" in problem
    assert " -> " in problem
    assert host.look().problem == ""


def test_an_iommu_is_switched_on_where_there_is_one(host: Host) -> None:
    found = host.look("a=1", iommu=True)
    assert found.wanted == ["a=1", "intel_iommu=on", "iommu=pt"]
    assert found.iommu_is_coming()
    assert host.look("iommu=nopt", iommu=True).wanted == ["iommu=nopt", "intel_iommu=on"]
    host.apply(iommu=True)
    found = host.look(iommu=True)
    assert (found.wanted, found.iommu_is_coming(), due(found)) == (
        ["intel_iommu=on", "iommu=pt"],
        False,
        (False, False),
    )
    assert due(host.look()) == (True, True)
    host.apply()
    host.facts["iommu"] = True
    assert host.look(iommu=True).wanted == []
    host.facts |= {"iommu": False, "intel_iommu": False}
    assert not host.look(iommu=True).iommu_is_coming()


def test_a_container_node_is_left_alone(host: Host) -> None:
    host.facts["container"] = True
    found = host.look("a=1", iommu=True)
    assert (due(found), found.problem, found.iommu_is_coming()) == ((False, False), "", False)


@pytest.mark.parametrize(
    ("words", "wanted", "there"),
    [
        ("a b c", "b c", True),
        ("a b c", "a c", False),
        ("a b", "a b c", False),
        ("hugepagesz=2M hugepages=4 hugepagesz=1G", "hugepagesz=1G", True),
        ("", "", True),
    ],
)
def test_order_counts(words: str, wanted: str, there: bool) -> None:
    assert holds(words.split(), wanted.split()) is there
