"""Interrupts and settings, on a tree as the kernel shows it; with what refuses."""

from __future__ import annotations

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
    for name in ("DEVICES", "NETWORKS", "IRQS", "IRQ_NAMES", "STAYING", "GOVERNORS"):
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
