"""Is the kubelet's verdict on pods what we predict? Asked of the kubelet's own managers, pod after pod."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from kubelet_judge import Admission, ask_pods
from pod_cases import CASES
from pod_courses import course
from predictions import predicted

pytestmark = pytest.mark.own_lab

# 4145: memory of a group of NUMA nodes is given back to another node of it, without any refusal.
_COURSES = {f"course {seed}": course(seed) for seed in (*range(100), 4145)}


@pytest.fixture(scope="session")
def verdicts(judge: Path) -> dict[str, list[Admission]]:
    return ask_pods(judge, {**_COURSES, **{case.name: case.course() for case in CASES}})


def test_every_case_is_what_the_kubelet_says(verdicts: dict[str, list[Admission]]) -> None:
    said = {case.name: verdicts[case.name][-1].reason for case in CASES}
    assert said == {case.name: case.reason for case in CASES}
    assert all(one.reason == "" for case in CASES for one in verdicts[case.name][:-1])
    assert len(CASES) > 50


def test_the_kubelet_gives_what_is_predicted(verdicts: dict[str, list[Admission]]) -> None:
    """Reasons, and of pods that are admitted also which CPUs, memory and devices each container gets."""
    courses = {**_COURSES, **{case.name: case.course() for case in CASES}}
    wrong = {
        name: (step, given, ours)
        for name, one in courses.items()
        for step, (given, ours) in enumerate(zip(verdicts[name], predicted(one), strict=True))
        if given != ours
    }
    assert wrong == {}


def test_the_courses_try_every_verdict(verdicts: dict[str, list[Admission]]) -> None:
    count = Counter(one.reason for name in _COURSES for one in verdicts[name])
    assert set(count) == {"", "TopologyAffinityError", "SMTAlignmentError", "UnexpectedAdmissionError"}
    assert min(count.values()) > 50
