"""How long a run takes: from former runs, else from what was seen in the lab."""

from __future__ import annotations

from gedge_provision.models.changes import Change
from gedge_provision.models.runs import PhaseTiming
from gedge_provision.planning.durations import expected_seconds, spoken

RESTART = [Change("node", "w1", "drain"), Change("unit", "kubelet.service", "restart")]


def timing(name: str, seconds: float, changed: int = 0) -> PhaseTiming:
    return PhaseTiming(name, seconds, {}, changed)


def test_nothing_to_do_takes_no_time() -> None:
    assert expected_seconds({}, []) == 0
    assert expected_seconds({"w1": []}, []) == 0


def test_kubelets_restart_one_after_the_other() -> None:
    runs = [[timing("Change nodes that run pods", 30.0, 1), timing("Verify the cluster", 5.0)]]
    one = expected_seconds({"w1": RESTART}, runs)
    two = expected_seconds({"w1": RESTART, "w2": RESTART}, runs)
    assert two - one == 30


def test_the_median_of_former_runs_counts_and_only_those_in_which_the_phase_changed_something() -> None:
    image = {"w1": [Change("image", "pause", "create")]}
    runs = [[timing("Import images", seconds, 3)] for seconds in (100.0, 200.0, 900.0)]
    assert expected_seconds(image, [*runs, [timing("Import images", 0.1)]]) - expected_seconds(image, []) in (190, 195)


def test_a_host_that_leaves_is_one_phase() -> None:
    runs = [[timing("Remove nodes", 50.0, 1)]]
    leaving = [Change("node", "w2", action) for action in ("drain", "leave", "forget")]
    unchanged = 6 * 1.2
    assert expected_seconds({"w2": leaving}, runs) == -(-int(50 + unchanged) // 5) * 5


def test_durations_in_words() -> None:
    assert spoken(45) == "about 45 s"
    assert spoken(61) == "about 2 min"
