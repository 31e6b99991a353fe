"""On which nodes a service fits beside what runs, how often, and what would fit instead."""

from __future__ import annotations

from typing import Any

import pytest
from looks import GPU, MEMORY, PINNED, VF, node, running, seen, service

from gedge_provision.models.cluster import NodeState
from gedge_provision.models.fit import NodeFit, ServiceFit
from gedge_provision.models.pod_specs import RunningPod
from gedge_provision.planning.fit import Room, fit_service
from gedge_provision.planning.manifests import INVENTORY_LABEL

_NO_MEMORY = (
    "TopologyAffinityError: no NUMA node has all of it (node 0 has 1792 MiB of 2048 MiB memory; "
    "node 1 has 1792 MiB of 2048 MiB memory)"
)


def only(found: ServiceFit) -> NodeFit:
    (one,) = found.nodes
    return one


def sentences(one: NodeFit) -> list[str]:
    return [obstacle.text for obstacle in one.obstacles]


@pytest.mark.parametrize(
    ("wanted", "given", "kind", "sentence", "largest"),
    [
        ({"cpu": 8}, node(), "not-enough", "cpu: 8 is asked for, only 6 is offered", "6 CPUs instead of 8"),
        (
            {"cpu": "6200m", "aware": False},
            node(),
            "not-enough",
            "cpu: 6200m is asked for, only 6 is offered",
            "200m less cpu (6)",
        ),
        (
            {"memory": "4Gi"},
            node(),
            "not-enough",
            "memory: 4Gi is asked for, only 3584Mi is offered",
            "512Mi less memory (3584Mi)",
        ),
        (
            {"gpus": 2},
            node(**{GPU: "1"}),
            "not-enough",
            f"{GPU}: 2 is asked for, only 1 is offered",
            f"1 {GPU} instead of 2",
        ),
        ({"gpus": 1}, node(), "not-offered", f"{GPU}: 1 is asked for, none is offered", f"no {GPU}"),
        (
            {"nodeSelector": {"zone": "a"}},
            node(labels={"zone": "b"}),
            "label",
            "label zone=a is missing",
            "",
        ),
        (
            {},
            node(taints=({"key": "k", "effect": "NoSchedule"},)),
            "taint",
            "taint k:NoSchedule keeps pods off",
            "",
        ),
        (
            {"cpu": 3},
            node(kubelet=PINNED),
            "SMTAlignmentError",
            "SMTAlignmentError: 3 CPUs cannot be whole cores of 2 threads; ask for 4",
            "4 CPUs instead of 3",
        ),
        (
            {"cpu": 6},
            node(kubelet=PINNED),
            "TopologyAffinityError",
            "TopologyAffinityError: no NUMA node has all of it (node 0 has 2 CPUs of 6; node 1 has 4 CPUs of 6)",
            "4 CPUs instead of 6",
        ),
        (
            {"cpu": 2, "sriov": True},
            node(kubelet={**PINNED, "reservedSystemCPUs": "0-3"}, vfs=(4, 0)),
            "TopologyAffinityError",
            f"TopologyAffinityError: no NUMA node has all of it (node 0 has 0 CPUs of 2; node 1 has 0 {VF} of 1)",
            f"no {VF}",
        ),
        (
            {"cpu": 2, "memory": "2Gi"},
            node(kubelet=MEMORY),
            "TopologyAffinityError",
            "TopologyAffinityError: no NUMA node has all of it ("
            + "; ".join(f"node {number} has 1792 MiB of 2048 MiB memory" for number in (0, 1))
            + ")",
            "256Mi less memory (1792Mi)",
        ),
    ],
)
def test_what_is_in_the_way_is_named_and_what_would_fit(
    wanted: dict[str, Any], given: NodeState, kind: str, sentence: str, largest: str
) -> None:
    found = fit_service(service(**wanted), [given], [])
    one = only(found)
    assert (found.fits, found.placed, one.holds, one.empty_holds) == (False, 0, 0, False)
    assert [obstacle.kind for obstacle in one.obstacles] == [kind]
    assert sentences(one) == [sentence]
    assert one.largest == largest


def test_several_things_are_lessened_where_one_is_not_enough() -> None:
    one = only(fit_service(service(8, gpus=3), [node(**{GPU: "1"})], []))
    assert [obstacle.kind for obstacle in one.obstacles] == ["not-enough", "not-enough"]
    assert one.largest == f"6 CPUs instead of 8 and 1 {GPU} instead of 3"


def test_a_node_takes_replicas_until_its_kubelet_refuses() -> None:
    """Four CPUs on one NUMA node, two on the other: a third pod of two is the last, of six CPUs."""
    found = fit_service(service(2, replicas=5), [node(kubelet=PINNED), node("w2", cpu="3")], [])
    first, second = found.nodes
    assert (first.holds, second.holds, found.placed, found.fits) == (3, 1, 4, False)
    assert sentences(first) == ["cpu: 2 is asked for, 0 of 6 is free"]
    assert sentences(second) == ["cpu: 2 is asked for, 1 of 3 is free"]
    assert first.largest == second.largest == ""
    pair = fit_service(service(4, replicas=2), [node(kubelet=PINNED)], [])
    assert pair.placed == 1
    assert fit_service(service(2, replicas=4), [node(kubelet=PINNED), node("w2", cpu="3")], []).fits


def test_what_runs_is_in_the_way_until_it_ends() -> None:
    others = [running("old", made=1, cpu=4), running("gone").model_copy(update={"status": ended()})]
    one = only(fit_service(service(4), [node(kubelet=PINNED)], others))
    assert (one.holds, one.empty_holds) == (0, True)
    assert sentences(one) == ["cpu: 4 is asked for, 2 of 6 is free"]
    assert one.largest == "2 CPUs instead of 4"


def ended() -> Any:
    return running("x").status.model_copy(update={"phase": "Succeeded"})


def test_the_kubelet_is_in_the_way_where_amounts_are_not() -> None:
    """Two pods of two CPUs lie on both NUMA nodes, so that four are free on neither."""
    others = [running("a", made=1), running("b", made=2)]
    given = node(kubelet={**PINNED, "reservedSystemCPUs": "0"}, cpu="8")
    one = only(fit_service(service(4), [given], others))
    assert (one.holds, one.empty_holds) == (0, True)
    assert one.obstacles[0].kind == "TopologyAffinityError"


def test_own_pods_are_what_the_replicas_replace() -> None:
    mine = running("mine", labels={INVENTORY_LABEL: "app"}, cpu=4)
    assert fit_service(service(4), [node(kubelet=PINNED)], [mine]).fits
    assert not fit_service(service(4), [node(kubelet=PINNED)], [mine], namespace="other").fits


def test_pods_are_taken_to_have_come_in_the_order_of_their_age() -> None:
    """The older one took the NUMA node that is filled first."""
    given = node(kubelet=PINNED)
    taken = [running("young", made=2, cpu=4), running("old", made=1, cpu=2)]
    assert fit_service(service(2), [given], taken).placed == 0
    one = only(fit_service(service(2), [given], [running("old", cpu=2)]))
    assert one.holds == 1


def test_what_was_seen_counts_more_than_what_is_concluded() -> None:
    """By their age pods would lie on NUMA node 0; they were seen on node 1, so that four CPUs are free on none."""
    given, pods = node(kubelet=PINNED), [running("old", cpu=2)]
    assert fit_service(service(4), [given], pods).fits
    looks = {"w1": seen(PINNED, ("old", "6-7"))}
    one = only(fit_service(service(4), [given], pods, looks=looks))
    assert sentences(one) == [
        "TopologyAffinityError: no NUMA node has all of it (node 0 has 2 CPUs of 4; node 1 has 2 CPUs of 4)"
    ]
    assert one.largest == "2 CPUs instead of 4"


def test_own_pods_count_as_gone_where_they_were_seen() -> None:
    looks = {"w1": seen(PINNED, ("mine", "4-7"))}
    assert fit_service(service(4), [node(kubelet=PINNED)], [], looks=looks).fits
    mine = running("mine", cpu=4)
    assert not fit_service(service(4), [node(kubelet=PINNED)], [mine], looks=looks).fits
    labelled = running("mine", labels={INVENTORY_LABEL: "app"}, cpu=4)
    assert fit_service(service(4), [node(kubelet=PINNED)], [labelled], looks=looks).fits


def test_devices_are_where_they_were_seen() -> None:
    given = node(vfs=(8, 0))
    four = service(4, sriov=True)
    assert fit_service(four, [given], []).fits
    one = only(fit_service(four, [given], [], looks={"w1": seen(PINNED)}))
    assert one.obstacles[0].kind == "TopologyAffinityError"
    assert one.largest == f"2 CPUs instead of 4, or no {VF}"


def test_pods_that_came_after_the_look_are_added() -> None:
    looks = {"w1": seen(PINNED, ("old", "4-7"))}
    pods = [running("old", made=1, cpu=4), running("new", made=2, cpu=2)]
    assert fit_service(service(2), [node(kubelet=PINNED)], pods[:1], looks=looks).fits
    assert not fit_service(service(2), [node(kubelet=PINNED)], pods, looks=looks).fits


@pytest.mark.parametrize(
    ("wanted", "given", "notes"),
    [
        ({}, [node(kubelet=PINNED)], []),
        ({"aware": False}, [node()], []),
        ({}, [node(), node("w2", kubelet=PINNED)], ["w1: only amounts were compared"]),
        ({"gpus": 1}, [node(kubelet=PINNED, **{GPU: "2"})], [f"the NUMA nodes of {GPU} are not known on w1"]),
        ({"cpu": 6}, [node(kubelet=PINNED), node("w2")], ["w2: only amounts", "the scheduler does not know that the"]),
    ],
)
def test_what_is_not_known_is_said(wanted: dict[str, Any], given: list[NodeState], notes: list[str]) -> None:
    found = fit_service(service(**wanted), given, [])
    assert len(found.notes) == len(notes)
    assert all(note.startswith(beginning) for note, beginning in zip(found.notes, notes, strict=True))
    assert all(" -> " in note for note in found.notes)


def test_a_look_leaves_nothing_unknown() -> None:
    assert fit_service(service(gpus=1), [node(**{GPU: "1"})], [], looks={"w1": seen(PINNED)}).notes == ()


def test_tolerations_and_affinity_of_pods_are_looked_at() -> None:
    expression = {"key": "zone", "operator": "In", "values": ["a", "b"]}
    spec = {
        "containers": [{"name": "main"}],
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [expression]}]
                }
            }
        },
    }
    pod = RunningPod.model_validate({"metadata": {"name": "p"}, "spec": spec})
    tainted = ({"key": "k", "value": "v", "effect": "NoExecute"},)
    assert Room(node(taints=tainted, labels={"zone": "b"}), {}, None).obstacles(pod) == ()
    (one,) = Room(node(labels={"zone": "c"}), {}, None).obstacles(pod)
    assert one.kind == "label"
