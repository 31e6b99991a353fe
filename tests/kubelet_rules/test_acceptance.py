"""Does the kubelet start with what we compute? Asked of the kubelet's own code, for every fixture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubelet_judge import Verdict, ask
from topologies import SHAPES, topology

from gedge_provision.adapters.kubelet_names import load_kubelet_names
from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import CpuPlan
from gedge_provision.models.cpusets import format_cpuset, parse_cpuset
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.kubelet_rules import raw_refusals
from gedge_provision.planning.cpu_plans import solve
from gedge_provision.planning.cpu_plans.written import kubelet_host

pytestmark = pytest.mark.own_lab

_UNPINNED = ("one-cpu", "two-cpus-one-core")
_PINNED = [name for name in SHAPES if name not in _UNPINNED]
_SETTINGS: dict[str, dict[str, Any]] = {
    "nothing said": {},
    "more reserved": {"kube_reserved": {"cpu": "700m", "memory": "300Mi"}, "system_reserved": {"memory": "0.2G"}},
}


@pytest.fixture(scope="session")
def plans() -> dict[str, CpuPlan]:
    intents = [("shared", name) for name in SHAPES]
    intents += [(profile, name) for profile in ("pinned", "pinned-numa") for name in _PINNED]
    return {
        f"{name}, {profile}, {said}": solve(
            topology(name),
            CpuIntent.model_validate({"profile": profile}),
            KubeletSettings.model_validate(settings),
        )
        for profile, name in intents
        for said, settings in _SETTINGS.items()
    }


@pytest.fixture(scope="session")
def verdicts(judge: Path, plans: dict[str, CpuPlan]) -> dict[str, Verdict]:
    return ask(judge, {name: (topology(plan.host), plan.kubelet) for name, plan in plans.items()})


def test_the_kubelet_starts_with_every_plan(plans: dict[str, CpuPlan], verdicts: dict[str, Verdict]) -> None:
    refused = {name: verdict.error for name, verdict in verdicts.items() if verdict.error}
    assert refused == {}
    assert len(verdicts) == len(plans) > 200


def test_our_rules_let_every_plan_through(plans: dict[str, CpuPlan]) -> None:
    """Names and kinds of the fields too, as the role looks at them."""
    for name, plan in plans.items():
        host = kubelet_host(topology(plan.host), control_plane=False)
        assert raw_refusals(plan.kubelet, load_kubelet_names(), host) == (), name


def test_pods_may_own_what_the_plan_says(plans: dict[str, CpuPlan], verdicts: dict[str, Verdict]) -> None:
    for name, plan in plans.items():
        if plan.kubelet["cpuManagerPolicy"] == "static":
            assert verdicts[name].allocatable == format_cpuset(topology(plan.host).online - plan.reserved), name


@pytest.mark.parametrize("amount", ["100m", "1", "1500m", "3", "7"])
def test_what_the_kubelet_reserves_by_itself_is_known_beforehand(judge: Path, amount: str) -> None:
    """The static policy with an amount only, as many sites have it."""
    settings = KubeletSettings.model_validate({"cpu_manager_policy": "static", "kube_reserved": {"cpu": amount}})
    plans = {name: solve(topology(name), CpuIntent(), settings) for name in SHAPES if len(topology(name).online) > 8}
    verdicts = ask(judge, {name: (topology(name), plan.kubelet) for name, plan in plans.items()})
    wrong = {
        name: (format_cpuset(plan.reserved), verdicts[name])
        for name, plan in plans.items()
        if verdicts[name].error or parse_cpuset(verdicts[name].allocatable) != topology(name).online - plan.reserved
    }
    assert wrong == {}
