"""What a change of kubelet settings asks for: the rows are the classes of every setting that a site file has."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from gedge_provision.planning.kubelet_changes import compare_settings

STATIC = {"cpuManagerPolicy": "static", "reservedSystemCPUs": "0"}
BY_AMOUNT = {"cpuManagerPolicy": "static", "kubeReserved": {"cpu": "500m"}}
STRICT = {"cpuManagerPolicyOptions": {"strict-cpu-reservation": "true"}}
WHOLE = {"cpuManagerPolicyOptions": {"full-pcpus-only": "true"}}
MEMORY = {"memoryManagerPolicy": "Static", "reservedMemory": [{"numaNode": 0, "limits": {"memory": "1Gi"}}]}
CPU, BOTH = ("cpu",), ("cpu", "memory")


@pytest.mark.parametrize(
    ("before", "after", "drain", "resets"),
    [
        ({}, {}, False, ()),
        ({}, {"maxPods": 200}, False, ()),
        ({}, {"maxPods": 100}, True, ()),
        ({"maxPods": 200}, {}, True, ()),
        ({"maxPods": 100}, {}, False, ()),
        ({}, {"registryPullQPS": 20, "logging": {"verbosity": 4}}, False, ()),
        ({}, {"somethingNew": 1}, True, ()),
        ({}, {"topologyManagerPolicy": "restricted"}, True, ()),
        ({}, {"kubeReserved": {"cpu": "2"}}, True, ()),
        ({}, STATIC, True, CPU),
        (STATIC, {}, True, CPU),
        (STATIC, {**STATIC, "maxPods": 200}, False, ()),
        (STATIC, {**STATIC, "reservedSystemCPUs": "1"}, True, CPU),
        (STATIC, BY_AMOUNT, True, CPU),
        (STATIC, {**STATIC, **WHOLE}, True, ()),
        (STATIC, {**STATIC, **STRICT}, True, CPU),
        ({**STATIC, **STRICT}, STATIC, True, CPU),
        (BY_AMOUNT, {**BY_AMOUNT, "kubeReserved": {"cpu": "800m"}}, True, ()),
        (BY_AMOUNT, {**BY_AMOUNT, "systemReserved": {"cpu": "600m"}}, True, CPU),
        (BY_AMOUNT, {**BY_AMOUNT, "kubeReserved": {"cpu": "5e-1"}}, True, CPU),
        ({**STATIC, "kubeReserved": {"memory": "1Gi"}}, {**STATIC, "kubeReserved": {"memory": "2Gi"}}, True, ()),
        ({}, MEMORY, True, ("memory",)),
        (MEMORY, {**MEMORY, "reservedMemory": []}, True, ("memory",)),
        ({**STATIC, **MEMORY}, {}, True, BOTH),
    ],
)
def test_what_a_change_asks_for(
    before: dict[str, Any], after: dict[str, Any], drain: bool, resets: tuple[str, ...]
) -> None:
    found = compare_settings(before, after)
    assert (found.drain, found.resets) == (drain, resets)
    assert bool(found.settings) == (before != after)


@pytest.mark.parametrize(
    ("huge_pages", "settings", "drain", "resets", "words"),
    [
        ("more", {}, False, (), "more huge pages (restart)"),
        ("fewer", {}, True, (), "fewer huge pages (drain)"),
        ("more", MEMORY, True, ("memory",), "more huge pages (drain, new state of the memory manager)"),
    ],
)
def test_a_kubelet_counts_huge_pages_anew(
    huge_pages: Literal["more", "fewer"], settings: dict[str, Any], drain: bool, resets: tuple[str, ...], words: str
) -> None:
    found = compare_settings(settings, settings, huge_pages=huge_pages)
    assert (found.drain, found.resets, found.settings) == (drain, resets, (words,))
    both = compare_settings({}, {**settings, **STATIC, **MEMORY}, huge_pages=huge_pages)
    assert (both.drain, both.resets) == (True, BOTH)


def test_each_setting_is_told_with_its_values_and_its_reason() -> None:
    before = {**BY_AMOUNT, **WHOLE}
    after = {**STATIC, **STRICT, "maxPods": 200}
    assert compare_settings(before, after).settings == (
        "cpuManagerPolicyOptions.full-pcpus-only from true to unset (drain, new state of the CPU manager)",
        "cpuManagerPolicyOptions.strict-cpu-reservation from unset to true (drain, new state of the CPU manager)",
        "kubeReserved.cpu from 500m to unset (drain, new state of the CPU manager)",
        "maxPods from unset to 200 (restart)",
        "reservedSystemCPUs from unset to 0 (drain, new state of the CPU manager)",
    )
    without = compare_settings(before, after, drains=False)
    assert without.drain
    assert "kubeReserved.cpu from 500m to unset (under pods, new state of the CPU manager)" in without.settings
