"""Plans: pure, in the order of the site file, with what needs consent; and what moved since."""

from __future__ import annotations

import pytest

from gedge_provision.models.changes import Change, Difference
from gedge_provision.models.plan import Plan
from gedge_provision.models.site import Site
from gedge_provision.planning.plans import KUBELET_RESTART, make_plan, markdown, moved
from gedge_provision.planning.pods import disturbed_pods, drain_obstacles

SITE = Site.model_validate(
    {
        "name": "edge",
        "nodes": [
            {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"]},
            {"name": "w1", "address": "192.0.2.2"},
            {"name": "w2", "address": "192.0.2.3"},
        ],
    }
)
FILE = Change("file", "/etc/a", "change")
STATE = Change("file", "/var/lib/kubelet/cpu_manager_state", "reset")


def plan(changes: dict[str, list[Change]], *differences: Difference, digest: str = "d1") -> Plan:
    return make_plan(SITE, digest, changes, differences=differences, pods={"w1": ["b/two", "a/one"]})


def test_hosts_stand_in_the_order_of_the_site_file_and_those_without_changes_are_left_out() -> None:
    made = plan({"w2": [FILE], "m1": [FILE], "w1": []})
    assert [host.host for host in made.hosts] == ["m1", "w2"]
    assert made.size == 2


def test_the_same_input_gives_the_same_bytes_and_a_saved_plan_comes_back_the_same() -> None:
    first, second = (plan({"w1": [FILE, KUBELET_RESTART], "m1": [FILE]}) for _ in range(2))
    assert first.model_dump_json() == second.model_dump_json()
    assert Plan.model_validate_json(first.model_dump_json()) == first


def test_a_restarted_kubelet_needs_consent_and_names_the_pods_that_own_cpus() -> None:
    (consent,) = plan({"w1": [FILE, STATE, KUBELET_RESTART], "w2": [FILE]}).consents
    assert (consent.host, consent.flag, consent.pods) == ("w1", "kubelet-restart-ok", ("a/one", "b/two"))


def test_a_kubelet_that_keeps_its_states_disturbs_no_pod() -> None:
    (consent,) = plan({"w1": [FILE, KUBELET_RESTART]}).consents
    assert consent.pods == ()
    assert consent.reason == "its kubelet restarts; pods stay, with the CPUs that they own"


def test_pods_that_move_are_named_once() -> None:
    first, second = plan({"w1": [Change("node", "w1", "drain"), STATE, KUBELET_RESTART]}).consents
    assert (first.flag, first.pods, second.pods) == ("drain-ok", ("a/one", "b/two"), ())


def test_a_drain_and_a_node_that_leaves_need_consent() -> None:
    made = plan({"w1": [Change("node", "w1", "drain"), FILE, KUBELET_RESTART], "w9": [Change("node", "w9", "drain")]})
    assert [(consent.host, consent.flag) for consent in made.consents] == [
        ("w1", "drain-ok"),
        ("w1", "kubelet-restart-ok"),
        ("w9", "removal-ok"),
    ]
    assert [host.host for host in made.hosts] == ["w1", "w9"]


def test_a_reboot_needs_consent_with_a_drain_or_without() -> None:
    reboot = Change("host", "w1", "reboot")
    alone = plan({"w1": [Change("kernel_argument", "nosmt", "add"), reboot]})
    assert [(consent.flag, consent.pods) for consent in alone.consents] == [("reboot-ok", ("a/one", "b/two"))]
    drained = plan({"w1": [Change("node", "w1", "drain"), reboot]})
    assert [consent.flag for consent in drained.consents] == ["drain-ok", "reboot-ok"]
    assert "**w1 needs consent** (`--reboot-ok`): its host reboots" in markdown(drained)


def test_pods_that_a_step_moves_or_may_disturb() -> None:
    def pod(name: str, node: str, qos: str = "Burstable", owner: str = "ReplicaSet") -> dict[str, object]:
        meta = {"namespace": "n", "name": name, "ownerReferences": [{"kind": owner}]}
        return {"metadata": meta, "spec": {"nodeName": node}, "status": {"qosClass": qos, "phase": "Running"}}

    pods = [pod("a", "w1"), pod("b", "w1", owner="DaemonSet"), pod("c", "w1", "Guaranteed"), pod("d", "w2")]
    assert disturbed_pods(pods, {"w1": ("drain-ok", "kubelet-restart-ok")}) == {"w1": ["n/a", "n/c"]}
    assert disturbed_pods(pods, {"w1": ("kubelet-restart-ok",)}) == {"w1": ["n/c"]}


BUDGETS = {
    "of its labels": ({"matchLabels": {"app": "x"}}, 0, True),
    "of everything": ({}, 0, True),
    "of nothing": (None, 0, False),
    "of other labels": ({"matchLabels": {"app": "y"}}, 0, False),
    "with room": ({"matchLabels": {"app": "x"}}, 1, False),
    "in a set": ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["x", "z"]}]}, 0, True),
    "outside a set": ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["x"]}]}, 0, False),
    "of a label": ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, 0, True),
    "without a label": ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, 0, False),
}


@pytest.mark.parametrize("case", BUDGETS)
def test_a_budget_that_stops_a_drain_is_foreseen(case: str) -> None:
    selector, room, stops = BUDGETS[case]
    budget = {
        "metadata": {"namespace": "n", "name": "b"},
        "spec": {"selector": selector},
        "status": {"disruptionsAllowed": room},
    }
    pod = {
        "metadata": {
            "namespace": "n",
            "name": "a",
            "labels": {"app": "x"},
            "ownerReferences": [{"kind": "ReplicaSet", "controller": True}],
        },
        "spec": {"nodeName": "w1"},
        "status": {"phase": "Running"},
    }
    (found,) = drain_obstacles([pod], [budget], {"w1": ("drain-ok", "kubelet-restart-ok")}).values()
    assert bool(found) == stops
    assert drain_obstacles([pod], [budget], {"w1": ("kubelet-restart-ok",)}) == {"w1": []}
    assert drain_obstacles([pod], [budget], {"w1": ("reboot-ok",)}) == {"w1": []}
    elsewhere = {**budget, "metadata": {"namespace": "m", "name": "b"}}
    assert drain_obstacles([pod], [elsewhere], {"w1": ("drain-ok",)}) == {"w1": []}


def test_a_pod_without_a_controller_stops_a_drain() -> None:
    meta = {"namespace": "n", "name": "a"}
    pod = {"metadata": meta, "spec": {"nodeName": "w1"}, "status": {"phase": "Running"}}
    found = drain_obstacles([pod], [], {"w1": ("removal-ok",)})
    assert found == {"w1": ["nothing would create pod n/a again -> delete it, or let a controller own it"]}
    made = make_plan(SITE, "d", {"w1": [Change("node", "w1", "drain"), KUBELET_RESTART]}, obstacles=found)
    assert [bool(consent.obstacles) for consent in made.consents] == [True, False]
    assert "> It would be stopped: nothing would create pod n/a" in markdown(made)
    ended = {**pod, "status": {"phase": "Succeeded"}}
    assert drain_obstacles([ended], [], {"w1": ("removal-ok",)}) == {"w1": []}


def test_a_lost_host_keeps_what_is_installed_on_it() -> None:
    drained = [Change("node", "w9", "drain"), Change("node", "w9", "forget")]
    assert "keeps what is installed" in plan({"w9": drained}).consents[0].reason
    assert "taken off" in plan({"w9": [*drained, Change("node", "w9", "leave")]}).consents[0].reason


@pytest.mark.parametrize(
    ("concern", "mends"),
    [
        ("kubelet", {"w1": [KUBELET_RESTART]}),
        ("resource", {"w1": [KUBELET_RESTART]}),
        ("label", {"m1": [Change("label", "w1 a=b", "change")]}),
        ("ready", {"w1": [Change("node", "w1", "join")]}),
        ("ready", {"w1": [Change("unit", "containerd.service", "start")]}),
    ],
)
def test_what_the_run_puts_right_is_not_told_as_a_difference(concern: str, mends: dict[str, list[Change]]) -> None:
    found = Difference("w1", concern, "w1: differs")
    assert plan({}, found).differences == (found,)
    assert plan(mends, found).differences == ()
    other = Difference("w2", concern, "w2: differs")
    assert plan(mends, other).differences == (other,)


def test_a_version_is_not_put_right_by_a_run() -> None:
    found = Difference("w1", "version", "w1: the kubelet is v1")
    assert plan({"w1": [FILE, KUBELET_RESTART]}, found).differences == (found,)


def test_what_moved_is_named_line_by_line() -> None:
    before = plan({"w1": [FILE, KUBELET_RESTART]})
    assert moved(before, plan({"w1": [FILE, KUBELET_RESTART]})) == []
    now = plan({"w1": [FILE], "w2": [FILE]}, digest="d2")
    assert moved(before, now) == [
        "the site file is not the one that was planned with",
        "w1: no longer needed: restart unit kubelet.service",
        "w2: not in the plan: change file /etc/a",
    ]
    many = plan({"w1": [Change("file", f"/etc/{number}", "change") for number in range(30)]})
    assert moved(plan({}), many)[12:] == ["and 18 more differences"]
    elsewhere = before.model_copy(update={"site": "other"})
    assert moved(elsewhere, now) == ["the plan is for site other, this is edge"]


def test_markdown_for_a_review() -> None:
    text = markdown(plan({"w1": [FILE, STATE, KUBELET_RESTART]}, Difference("w2", "version", "w2: old")))
    assert "**w1 needs consent** (`--kubelet-restart-ok`)" in text
    assert "Pods: a/one, b/two." in text
    assert "| change | file | `/etc/a` |" in text
    assert "- w2: old" in text
    assert "Nothing would change." in markdown(plan({}))
