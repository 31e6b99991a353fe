"""What a kubelet refuses, we refuse before; and what we refuse, it does refuse. Asked of the kubelet's own code."""

from __future__ import annotations

import random
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any

import pytest
from kubelet_judge import Verdict, ask, known_names
from machines import MACHINES, MORE_SOCKETS, NINE_NODES, TWO_NODES, host, machine
from refusal import MEMORY, STATIC
from refused import GROUPS, STRICTER

from gedge_provision.adapters.kubelet_names import load_kubelet_names
from gedge_provision.models.kubelet_rules import Refusal, raw_refusals

pytestmark = pytest.mark.own_lab

REFUSED = {f"{group} {place}": row for group, rows in GROUPS.items() for place, row in enumerate(rows)}


def ours(fields: dict[str, Any], name: str = TWO_NODES, *, control_plane: bool = False) -> tuple[Refusal, ...]:
    return raw_refusals(fields, load_kubelet_names(), host(name, control_plane=control_plane))


def mended(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


@pytest.fixture(scope="module")
def verdicts(judge: Path) -> dict[str, Verdict]:
    asked = {name: (machine(row.machine), row.fields) for name, row in REFUSED.items()}
    better = {f"mended {name}": (machine(row.machine), mended(row.fields, row.mended)) for name, row in REFUSED.items()}
    strict = {name: (machine(TWO_NODES), fields) for name, (fields, _) in STRICTER.items()}
    return ask(judge, {**asked, **better, **strict})


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_kubelet_refuses_is_refused_before(verdicts: dict[str, Verdict], name: str) -> None:
    row = REFUSED[name]
    assert row.kubelet in verdicts[name].error
    found = [refusal for refusal in ours(row.fields, row.machine) if row.ours in str(refusal)]
    assert found, ours(row.fields, row.machine)
    assert not found[0].stricter
    assert found[0].remedy


@pytest.mark.parametrize("name", REFUSED)
def test_the_remedy_helps(verdicts: dict[str, Verdict], name: str) -> None:
    row = REFUSED[name]
    assert ours(mended(row.fields, row.mended), row.machine) == ()
    assert not verdicts[f"mended {name}"].error


@pytest.mark.parametrize("name", STRICTER)
def test_rules_that_are_stricter_are_marked(verdicts: dict[str, Verdict], name: str) -> None:
    fields, words = STRICTER[name]
    found = ours(fields, control_plane=True)
    assert not verdicts[name].error
    assert any(words in str(refusal) for refusal in found), found
    assert all(refusal.stricter and refusal.remedy for refusal in found), found


def test_the_names_are_those_of_the_kubelet(judge: Path) -> None:
    """To renew them: python tests/kubelet_judge.py."""
    assert (
        load_kubelet_names().model_dump() == type(load_kubelet_names()).model_validate(known_names(judge)).model_dump()
    )


def agree(judge: Path, questions: dict[str, tuple[str, dict[str, Any]]]) -> int:
    """Check that we refuse what the kubelet does, and nothing else unmarked; return how many it refuses."""
    answers = ask(judge, {name: (machine(where), fields) for name, (where, fields) in questions.items()})
    wrong = {}
    for name, (where, fields) in questions.items():
        refused = [refusal for refusal in ours(fields, where) if not refusal.stricter]
        if bool(refused) != bool(answers[name].error):
            wrong[name] = (fields, list(map(str, refused)), answers[name].error)
    assert wrong == {}
    return sum(bool(answer.error) for answer in answers.values())


def test_all_sets_of_cpu_manager_options_with_all_topology_policies(judge: Path) -> None:
    options = [
        "full-pcpus-only",
        "strict-cpu-reservation",
        "prefer-align-cpus-by-uncorecache",
        "distribute-cpus-across-numa",
        "align-by-socket",
        "distribute-cpus-across-cores",
    ]
    sets = list(chain.from_iterable(combinations(options, size) for size in range(len(options) + 1)))
    questions = {
        f"{where}, {policy}, {alignment}, alpha {alpha}, {', '.join(chosen)}": (
            where,
            {
                **STATIC,
                "cpuManagerPolicy": policy,
                "cpuManagerPolicyOptions": dict.fromkeys(chosen, "true"),
                "topologyManagerPolicy": alignment,
                "featureGates": {"CPUManagerPolicyAlphaOptions": alpha},
            },
        )
        for where, policy, alignment, alpha, chosen in product(
            (TWO_NODES, MORE_SOCKETS, NINE_NODES),
            ("none", "static"),
            ("none", "best-effort", "restricted", "single-numa-node"),
            (False, True),
            sets,
        )
    }
    refused = agree(judge, questions)
    assert 1000 < refused < len(questions) == 3072


# Values of fields, right ones and wrong ones.
POOL: dict[str, list[Any]] = {
    "cpuManagerPolicy": ["none", "static", "static", "dynamic", ""],
    "cpuManagerPolicyOptions": [{}, {"full-pcpus-only": "true"}, {"strict-cpu-reservation": "maybe"}, {"x": "true"}],
    "reservedSystemCPUs": ["", "0", "0-1", "0-7", "1,0", "0-", "7-9", "0, 1", "3-2", "0,0"],
    "kubeReserved": [
        {},
        *({"cpu": value} for value in ("0", "500m", "2", "0.5", "8", "9", "1e0", ".5", "1.", "5u", "-1", "x", "1 ")),
        *({"memory": value} for value in ("412Mi", "0", "1Gi", "1.5Gi", "5Gi", "400M", "12345", "1e9", "500m", "4E")),
        {"cpu": "1", "memory": "412Mi", "pid": "100", "ephemeral-storage": "1Gi"},
        {"storage": "1Gi"},
    ],
    "systemReserved": [{}, {"cpu": "100m"}, {"cpu": "7"}, {"memory": "100Mi"}, {"memory": "-0"}, {"swap": "1"}],
    "systemReservedCgroup": ["", "/system.slice"],
    "kubeReservedCgroup": ["", "/kube.slice"],
    "enforceNodeAllocatable": [
        [],
        ["pods"],
        ["none"],
        ["pods", "system-reserved"],
        ["pods", "kube-reserved-compressible"],
        ["kube-reserved", "kube-reserved-compressible"],
        ["none", "pods"],
        ["all"],
    ],
    "cgroupsPerQOS": [True, True, False],
    "evictionHard": [
        {},
        *({"memory.available": value} for value in ("100Mi", "5%", "0%", "100%", "0.1%", "33.3%", "x%", "-5%", "0")),
        {"nodefs.available": "10%"},
        {"pid.available": "10%", "memory.available": "200Mi"},
        {"disk": "1Gi"},
    ],
    "mergeDefaultEvictionSettings": [True, False],
    "memoryManagerPolicy": ["None", "Static", "Static", "Dynamic", ""],
    "reservedMemory": [
        [],
        *(
            [{"numaNode": 0, "limits": {"memory": value}}]
            for value in ("512Mi", "100Mi", "536870912", "0", "1m", "-1", 1024)
        ),
        [{"numaNode": 0, "limits": {"memory": "256Mi"}}, {"numaNode": 1, "limits": {"memory": "256Mi"}}],
        [{"numaNode": 9, "limits": {"memory": "512Mi"}}],
        [{"limits": {"memory": "512Mi", "hugepages-1Gi": "1Gi"}}],
        [{"numaNode": 0}],
    ],
    "topologyManagerPolicy": ["none", "best-effort", "restricted", "single-numa-node", "best", ""],
    "topologyManagerScope": ["container", "pod", "all", ""],
    "topologyManagerPolicyOptions": [
        {},
        {"max-allowable-numa-nodes": "9"},
        {"max-allowable-numa-nodes": "+10"},
        {"max-allowable-numa-nodes": "8.0"},
        {"prefer-closest-numa-nodes": "t"},
        {"prefer-closest-numa-nodes": "no"},
    ],
    "maxPods": [110, 0, -1, "110", 1.5, True],
    "featureGates": [
        {},
        {"AllBeta": True},
        {"AllAlpha": True},
        {"AllBeta": False},
        {"AllAlpha": True, "AllBeta": False},
        {"CPUManagerPolicyOptions": True},
        {"CPUManager": False},
        {"GangScheduling": True},
        {"MemoryQoS": 1},
    ],
}


@pytest.mark.parametrize("base", [{}, STATIC, MEMORY], ids=["nothing", "static", "memory"])
def test_fields_at_random_are_refused_by_both_or_by_none(judge: Path, base: dict[str, Any]) -> None:
    """A few fields at a time: with all of them something would always be wrong."""
    chance = random.Random(str(base))  # noqa: S311 - the same questions every time
    questions: dict[str, tuple[str, dict[str, Any]]] = {}
    for number in range(2500):
        chosen = chance.sample(sorted(POOL), chance.randint(1, 4))
        fields = {**base, **{name: chance.choice(POOL[name]) for name in chosen}}
        questions[str(number)] = (chance.choice(MACHINES), fields)
    assert 300 < agree(judge, questions) < len(questions)
