"""Interrupts and settings, on a tree as the kernel shows it; with what refuses."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils import host_tuner as tuner

WANTED: dict[str, Any] = {
    "irq_cpus": "0,4",
    "device_cpus": {"0000:41:00.0": "4"},
    "rps_cpus": {"ens1": "4"},
    "settings": {"numa_balancing": "0", "transparent_hugepage": "madvise", "governor": "performance"},
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DEVICES", "NETWORKS", "NODES", "IRQS", "IRQ_NAMES", "STAYING", "GOVERNORS"):
        monkeypatch.setattr(tuner, name, f"{tmp_path}{getattr(tuner, name)}")
    paths = {name: f"{tmp_path}{path}" for name, path in tuner.SETTINGS.items()}
    monkeypatch.setattr(tuner, "SETTINGS", paths)
    for path, text in {
        "proc/irq/default_smp_affinity": "ff",
        "proc/irq/1/smp_affinity_list": "0-7",
        "proc/irq/40/smp_affinity_list": "0-7",
        "proc/irq/41/smp_affinity_list": "0-7",
        "proc/irq/50/smp_affinity_list": "0-7",
        "sys/kernel/irq/1/actions": "i8042",
        "sys/kernel/irq/40/actions": "ens1-rx-0",
        "sys/kernel/irq/41/actions": "ens1-rx-1",
        "sys/kernel/irq/50/actions": "",
        "sys/bus/pci/devices/0000:41:00.0/msi_irqs/40": "msix",
        "sys/bus/pci/devices/0000:41:00.0/msi_irqs/41": "msix",
        "proc/irq/60/smp_affinity_list": "0-7",
        "sys/kernel/irq/60/actions": "ens1v0-TxRx-0",
        "sys/bus/pci/devices/0000:41:02.0/msi_irqs/60": "msix",
        "proc/irq/60/node": "1",
        "sys/devices/system/node/node1/cpulist": "4-7",
        "sys/class/net/ens1/queues/rx-0/rps_cpus": "00",
        "proc/sys/kernel/numa_balancing": "1",
        "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "powersave",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_available_governors": "performance powersave",
        "sys/devices/system/cpu/cpufreq/policy1/scaling_governor": "schedutil",
        "sys/devices/system/cpu/cpufreq/policy1/scaling_available_governors": "schedutil",
        "run/x": "",
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n", encoding="ascii")
    functions = tmp_path / "sys/bus/pci/devices"
    (functions / "0000:41:00.0/virtfn0").symlink_to(functions / "0000:41:02.0")
    return tmp_path


def read(host: Path, path: str) -> str:
    return (host / path).read_text(encoding="ascii").strip()


def test_everything_that_is_asked_for_is_set_and_then_nothing_is_due(host: Path) -> None:
    tuner.bring(WANTED)
    assert read(host, "proc/irq/default_smp_affinity") == "11"
    assert read(host, "proc/irq/1/smp_affinity_list") == "0,4"
    assert read(host, "proc/irq/40/smp_affinity_list") == read(host, "proc/irq/41/smp_affinity_list") == "4"
    assert read(host, "proc/irq/50/smp_affinity_list") == "0-7", "nobody takes it"
    assert read(host, "sys/class/net/ens1/queues/rx-0/rps_cpus") == "10"
    assert read(host, "proc/sys/kernel/numa_balancing") == "0"
    assert read(host, "sys/devices/system/cpu/cpufreq/policy0/scaling_governor") == "performance"
    assert read(host, "sys/devices/system/cpu/cpufreq/policy1/scaling_governor") == "schedutil", "it has no other"
    assert tuner.differing(WANTED) == []


def test_what_was_there_comes_back(host: Path) -> None:
    former: dict[str, tuple[str, str]] = {}
    before = {path: path.read_text(encoding="ascii") for path in host.rglob("*") if path.is_file()}
    tuner.bring(WANTED, lambda due: former.update({knob.path: (knob.read(), knob.kind) for knob in due}))
    tuner.put_back(former)
    after = {path: path.read_text(encoding="ascii") for path in host.rglob("*") if path.is_file()}
    changed = {path.name: text.strip() for path, text in after.items() if text.strip() != before[path].strip()}
    assert changed == {"enabled": "always"}, "the kernel itself puts the choice in brackets"


def test_interrupts_that_the_kernel_places_stay(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some say so by their rights, others only when they are written."""
    (host / "proc/irq/40/smp_affinity_list").chmod(0o444)
    write = tuner.Knob.write

    def refuse(knob: tuner.Knob, value: str | None = None) -> None:
        if "/41/" in knob.path:
            raise OSError(5, "Input/output error")
        write(knob, value)

    monkeypatch.setattr(tuner.Knob, "write", refuse)
    tuner.bring(WANTED)
    assert read(host, "proc/irq/40/smp_affinity_list") == read(host, "proc/irq/41/smp_affinity_list") == "0-7"
    assert tuner.differing(WANTED) == [], "and they are not tried again"


@pytest.mark.usefixtures("host")
def test_what_does_not_take_a_value_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner.Knob, "write", lambda _knob, _value=None: None)
    monkeypatch.setattr(tuner, "PATIENCE_S", 0)
    with pytest.raises(tuner.TunerError, match=r"numa_balancing is 1, asked for is 0.* -> "):
        tuner.bring({"settings": {"numa_balancing": "0"}})


def test_what_a_driver_takes_back_while_it_starts_is_set_again(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []
    write = tuner.Knob.write

    def written(knob: tuner.Knob, value: str | None = None) -> None:
        tries.append(knob.path)
        write(knob, "00" if "rps_cpus" in knob.path and len(tries) == 1 else value)

    monkeypatch.setattr(tuner.Knob, "write", written)
    monkeypatch.setattr(tuner.time, "sleep", lambda _seconds: None)
    tuner.bring({"rps_cpus": {"ens1": "4"}})
    assert read(host, "sys/class/net/ens1/queues/rx-0/rps_cpus") == "10"
    assert len(tries) == 2


def test_interrupts_of_virtual_functions_go_to_the_numa_node_of_their_card(host: Path) -> None:
    tuner.bring(WANTED)
    assert read(host, "proc/irq/60/smp_affinity_list") == "4"
    (host / "proc/irq/60/smp_affinity_list").write_text("0-7\n", encoding="ascii")  # its pod has opened it anew
    (host / "proc/sys/kernel/numa_balancing").write_text("1\n", encoding="ascii")
    tuner.place_new(WANTED)
    assert read(host, "proc/irq/60/smp_affinity_list") == "4"
    assert read(host, "proc/sys/kernel/numa_balancing") == "1", "somebody's trial is not taken back behind his back"


def test_interrupts_that_came_after_us_go_where_they_would_without_us(host: Path) -> None:
    former: dict[str, tuple[str, str]] = {}
    (host / "sys/kernel/irq/60/actions").write_text("\n", encoding="ascii")  # the function is not open yet
    tuner.bring(WANTED, lambda due: former.update({knob.path: (knob.read(), knob.kind) for knob in due}))
    (host / "sys/kernel/irq/60/actions").write_text("ens1v0-TxRx-0\n", encoding="ascii")
    tuner.place_new(WANTED)
    tuner.put_back(former)
    assert read(host, "proc/irq/60/smp_affinity_list") == "4,5,6,7"
    assert read(host, "proc/irq/1/smp_affinity_list") == "0-7"
    assert read(host, "proc/irq/default_smp_affinity") == "ff"


def test_an_interrupt_that_goes_meanwhile_may_come_back_under_its_number(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = tuner.Knob.write

    def vanish(knob: tuner.Knob, value: str | None = None) -> None:
        if "/60/" in knob.path:
            raise FileNotFoundError(2, "No such file or directory")
        write(knob, value)

    with monkeypatch.context() as patched:
        patched.setattr(tuner.Knob, "write", vanish)
        assert tuner.write_all(tuner.differing(WANTED)) == []
    tuner.bring(WANTED)
    assert read(host, "proc/irq/60/smp_affinity_list") == "4"


def test_systemd_hears_when_the_host_is_as_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(place))
        monkeypatch.setenv("NOTIFY_SOCKET", str(place))
        tuner.tell_systemd("READY=1")
        assert ear.recv(64) == b"READY=1"
