"""What an apply would change of a tuned host, from the record."""

from __future__ import annotations

from topologies import topology

from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.planning.node_plans import plan_host, role_variables
from gedge_provision.planning.offline_tuning import fewer_pages, page_changes, tuning_changes


def tuning(latency: str) -> dict[str, object]:
    intent = CpuIntent.model_validate({"profile": "pinned-numa", "latency": latency})
    found: dict[str, object] = role_variables(plan_host(topology("emulated-node"), intent, KubeletSettings()))
    tuned = found["host_tuning_plan"]
    assert isinstance(tuned, dict)
    return tuned


def test_a_first_tuning_brings_settings_files_and_the_unit() -> None:
    found = [(change.action, change.kind, change.name) for change in tuning_changes({}, tuning("low"))]
    assert found == [
        ("set", "tuning", "interrupts on CPUs 0-1,4-5"),
        ("set", "tuning", "interrupts of 0000:01:00.0 on CPUs 0-1"),
        ("set", "tuning", "interrupts of 0000:02:00.0 on CPUs 4-5"),
        ("set", "tuning", "packets of ens0f0 on CPUs 0-1"),
        ("set", "tuning", "packets of ens1f0 on CPUs 4-5"),
        ("set", "tuning", "governor=performance"),
        ("set", "tuning", "numa_balancing=0"),
        ("set", "tuning", "transparent_hugepage=madvise"),
        ("set", "tuning", "system.slice on CPUs 0-1,4-5"),
        ("set", "tuning", "user.slice on CPUs 0-1,4-5"),
        ("set", "tuning", "init.scope on CPUs 0-1,4-5"),
        ("create", "file", "/usr/local/sbin/gedge-tuning"),
        ("create", "file", "/etc/gedge/tuning.json"),
        ("create", "file", "/etc/systemd/system/gedge-tuning.service"),
        ("enable", "unit", "gedge-tuning.service"),
    ]


def test_kernel_arguments_are_no_change_of_the_tuning_and_what_is_the_same_is_none() -> None:
    assert list(tuning_changes(tuning("low"), tuning("low"))) == []
    assert list(tuning_changes(tuning("low"), tuning("isolated"))) == []
    assert list(tuning_changes(tuning("normal"), {})) == []


def test_taking_back_names_what_goes() -> None:
    found = [(change.action, change.name) for change in tuning_changes(tuning("low"), tuning("normal"))]
    assert ("set", "system.slice on CPUs all") in found
    assert ("remove", "/etc/gedge/tuning.json") in found
    assert found[-1] == ("disable", "gedge-tuning.service")


def pages(count: int, at: str = "runtime") -> dict[str, object]:
    asked = [{"size": "2Mi", "count": count, "at": at}] if count else []
    intent = CpuIntent.model_validate({"profile": "shared", "huge_pages": asked})
    found: dict[str, dict[str, object]] = role_variables(
        plan_host(topology("emulated-node"), intent, KubeletSettings())
    )
    return found["host_tuning_plan"]


def test_huge_pages_at_run_time_are_named_by_numa_node() -> None:
    found = [str(change) for change in page_changes(pages(0), pages(128))]
    assert found == [
        "set huge_pages 64 of 2Mi on NUMA node 0",
        "set huge_pages 64 of 2Mi on NUMA node 1",
        "create file /usr/local/sbin/gedge-huge-pages",
        "create file /etc/gedge/huge-pages.json",
        "create file /etc/systemd/system/gedge-huge-pages.service",
        "enable unit gedge-huge-pages.service",
    ]
    assert [str(change) for change in page_changes(pages(128), pages(65))] == [
        "set huge_pages 33 of 2Mi on NUMA node 0",
        "set huge_pages 32 of 2Mi on NUMA node 1",
        "change file /etc/gedge/huge-pages.json",
    ]
    assert str(next(page_changes(pages(128), pages(0)))) == "set huge_pages 0 of 2Mi on NUMA node 0"
    assert list(page_changes(pages(128), pages(128))) == []
    assert list(page_changes(pages(0), pages(128, at="boot"))) == [], "those are kernel arguments"
    assert fewer_pages(pages(128), pages(65))
    assert not fewer_pages(pages(65), pages(128))
