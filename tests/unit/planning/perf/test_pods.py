"""Pods and attachments of a run, which of them fit side by side, and what pods say."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gedge_provision.models.attachments import Attachment, Ipam
from gedge_provision.models.cluster import Event, NodeState
from gedge_provision.models.perf import PerfSettings
from gedge_provision.models.site import Node
from gedge_provision.planning.perf import (
    RDMA_MEASURES,
    Ends,
    NetPath,
    Pair,
    batch_objects,
    free_resources,
    make_batches,
    make_pairs,
    pod_name,
    pod_problem,
    ready_network,
    renewal_words,
    secondary,
    space,
)

FIXTURES = Path(__file__).parents[3] / "fixtures" / "perf"
RECORDED: dict[str, Any] = json.loads((FIXTURES / "pod-macvlan.json").read_text(encoding="utf-8"))
WHEREABOUTS = {"type": "whereabouts", "range": "10.77.0.0/24"}
TWO = Ends(
    Node.model_validate({"name": "w1", "address": "192.0.2.2"}),
    Node.model_validate({"name": "w2", "address": "192.0.2.3"}),
)
ONE = Ends(TWO.client, TWO.client)
HOST, FLANNEL = NetPath("host", "host"), NetPath("flannel", "flannel")


def attached(name: str, **values: Any) -> NetPath:
    attachment = Attachment.model_validate({"name": name, "ipam": WHEREABOUTS, **values})
    return NetPath(name, attachment.type, attachment, rdma=attachment.rdma is not None)


STORAGE = attached("storage", type="macvlan", master="eth0")
SHARED = attached("shared", type="ipvlan", master="eth0")
SOFT = attached("soft", type="macvlan", master="eth0", rdma="soft")
FAST = attached("fast", type="sriov", resource="intel.com/vf")


def objects(path: NetPath, *, cpus: int = 0, ends: Ends = TWO) -> list[dict[str, Any]]:
    pair = Pair(3, path, "pinned" if cpus else "unpinned")
    settings = PerfSettings(pinned_cpus=cpus or None)
    return batch_objects([pair], ends, "tools:1", pull=False, settings=settings, limit_s=60)


def test_only_the_path_of_the_hosts_is_privileged() -> None:
    server, client = objects(HOST)
    assert server["spec"]["hostNetwork"]
    assert "iperf3 --server --bind 192.0.2.3 --port 25207" in server["spec"]["containers"][0]["command"][-1]
    assert "iperf3" not in client["spec"]["containers"][0]["command"][-1]
    enforce = "pod-security.kubernetes.io/enforce"
    pairs = make_pairs([HOST, FLANNEL], PerfSettings())
    assert space(pairs).manifest("me", "later")["metadata"]["labels"][enforce] == "privileged"
    assert space(pairs[1:]).manifest("me", "later")["metadata"]["labels"][enforce] == "restricted"
    assert all("hostNetwork" not in pod["spec"] for pod in objects(FLANNEL))


def test_pods_run_without_rights_and_end_by_themselves() -> None:
    for path in (HOST, FLANNEL, FAST):
        for pod in (item for item in objects(path) if item["kind"] == "Pod"):
            container = pod["spec"]["containers"][0]
            assert pod["spec"]["securityContext"]["runAsNonRoot"]
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["imagePullPolicy"] == "Never"
            assert pod["spec"]["activeDeadlineSeconds"] == 60
            assert not pod["spec"]["automountServiceAccountToken"]


def test_pods_ask_for_nothing_but_what_they_need() -> None:
    assert all("resources" not in pod["spec"]["containers"][0] for pod in objects(FLANNEL))
    for pod in objects(FLANNEL, cpus=2):
        resources = pod["spec"]["containers"][0]["resources"]
        assert resources["requests"] == resources["limits"] == {"cpu": "2", "memory": "256Mi"}
    definition, *pods = objects(FAST)
    assert definition["metadata"]["annotations"] == {"k8s.v1.cni.cncf.io/resourceName": "intel.com/vf"}
    assert all(pod["spec"]["containers"][0]["resources"]["limits"] == {"intel.com/vf": "1"} for pod in pods)


def test_pods_with_software_rdma_ask_for_it_and_serve_it() -> None:
    _, server, client = objects(SOFT)
    for pod in (server, client):
        container = pod["spec"]["containers"][0]
        assert container["resources"]["limits"] == {"rdma/soft_rdma": "1"}
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    script = server["spec"]["containers"][0]["command"][-1]
    for tool in ("ib_write_bw -R", "ib_write_lat -R", "ib_send_lat -R", "rping -s", "iperf3 --server"):
        assert tool in script
    assert "rping" not in objects(STORAGE)[1]["spec"]["containers"][0]["command"][-1]


def test_attachments_are_copied_under_the_name_by_which_addresses_are_counted() -> None:
    definition, server, _ = objects(STORAGE)
    assert definition["metadata"]["namespace"] == "gedge-perf"
    # An apply deletes definitions of its own that the site file does not have.
    assert "gedge.dev/role" not in definition["metadata"]["labels"]
    assert json.loads(definition["spec"]["config"])["name"] == "storage"
    network = json.loads(server["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"])[0]
    assert network == {"name": definition["metadata"]["name"], "namespace": "gedge-perf", "interface": "net1"}


def test_fixed_addresses_go_to_server_and_client() -> None:
    assert STORAGE.attachment is not None
    static = STORAGE.attachment.model_copy(update={"ipam": Ipam(type="static")})
    path = NetPath("storage", "macvlan", static, ("10.0.0.1/24", "10.0.0.2/24"))
    definition, *pods = objects(path)
    assert json.loads(definition["spec"]["config"])["capabilities"] == {"ips": True}
    asked = [json.loads(pod["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"])[0]["ips"] for pod in pods]
    assert asked == [["10.0.0.1/24"], ["10.0.0.2/24"]]


def free(cpu: str, vfs: int = 0) -> dict[str, dict[str, Decimal]]:
    node = {"cpu": Decimal(cpu), "intel.com/vf": Decimal(vfs), "rdma/soft_rdma": Decimal(1)}
    return {"w1": node, "w2": node}


@pytest.mark.parametrize(
    ("paths", "settings", "ends", "room", "expected"),
    [
        ([HOST, FLANNEL, STORAGE], {}, TWO, free("0"), [[0, 1, 2]]),
        ([STORAGE, FLANNEL, SHARED], {}, TWO, free("0"), [[0, 1], [2]]),
        ([HOST, FLANNEL], {"pinned_cpus": 2}, TWO, free("4"), [[0, 1]]),
        ([HOST, FLANNEL], {"pinned_cpus": 2}, TWO, free("3.5"), [[0], [1]]),
        ([HOST, FLANNEL], {"pinned_cpus": 2}, ONE, free("4"), [[0], [1]]),
        ([HOST, FLANNEL], {"pinned_cpus": 2}, ONE, free("3"), []),
        ([HOST, FLANNEL], {"pinned_cpus": 1, "both": True}, TWO, free("1"), [[0, 1, 2], [3]]),
        ([FAST, HOST], {}, TWO, free("0", 1), [[0, 1]]),
        ([SOFT, HOST], {}, TWO, free("0"), [[0, 1]]),
        ([SOFT, HOST], {}, ONE, free("0"), [[1]]),
        ([FAST, HOST], {}, ONE, free("0", 1), [[1]]),
        ([FAST], {"pinned_cpus": 1, "both": True}, TWO, free("1", 1), [[0], [1]]),
    ],
)
def test_pods_run_side_by_side_where_they_fit(
    paths: list[NetPath], settings: dict[str, Any], ends: Ends, room: dict[str, Any], expected: list[list[int]]
) -> None:
    chosen = PerfSettings.model_validate(settings)
    pairs = make_pairs(paths, chosen)
    batches, problems = make_batches(pairs, ends, room, chosen.pinned_cpus or 0)
    assert [[pair.number for pair in batch] for batch in batches] == expected
    assert len(problems) == len(pairs) - sum(map(len, batches))
    assert all(" free" in problem.message for problem in problems)


def test_one_pair_at_a_time_has_fixed_addresses() -> None:
    path = NetPath("storage", "macvlan", STORAGE.attachment, ("10.0.0.1/24", "10.0.0.2/24"))
    pairs = make_pairs([path], PerfSettings(pinned_cpus=1, both=True))
    assert [len(batch) for batch in make_batches(pairs, TWO, free("4"), 1)[0]] == [1, 1]


def test_free_is_what_no_running_pod_has_asked_for() -> None:
    node = NodeState.model_validate(
        {"metadata": {"name": "w1"}, "status": {"allocatable": {"cpu": "3500m", "memory": "8Gi", "intel.com/vf": "4"}}}
    )

    def pod(phase: str, on: str, **requests: str) -> dict[str, Any]:
        containers = [{"resources": {"requests": requests}}, {}]
        return {"spec": {"nodeName": on, "containers": containers}, "status": {"phase": phase}}

    pods = [
        pod("Running", "w1", cpu="500m", **{"intel.com/vf": "1"}),
        pod("Succeeded", "w1", cpu="1"),
        pod("Running", "w2", cpu="1"),
    ]
    assert free_resources(node, pods) == {"cpu": Decimal(3), "intel.com/vf": Decimal(3)}


RECORDED_PAIR = Pair(0, STORAGE, "unpinned")


def test_the_interface_of_a_recorded_pod() -> None:
    assert RECORDED["metadata"]["name"] == pod_name(RECORDED_PAIR, "server")
    network = ready_network(RECORDED, RECORDED_PAIR)
    assert network is not None
    assert network.interface == "net1"
    assert network.address.startswith("10.77.0.")
    assert secondary(RECORDED, Pair(1, STORAGE, "unpinned")) is None
    flannel = secondary(RECORDED, Pair(0, FLANNEL, "unpinned"))
    assert flannel is not None
    assert flannel.address == RECORDED["status"]["podIP"]


def test_a_pod_without_status_is_waited_for() -> None:
    young: dict[str, Any] = {"metadata": {"name": "p"}, "status": {}}
    assert ready_network(young, RECORDED_PAIR) is None
    assert pod_problem(young, RECORDED_PAIR, [], late=False) is None
    assert pod_problem(None, RECORDED_PAIR, [], late=False) is None
    assert pod_problem(RECORDED, RECORDED_PAIR, [], late=False) is None
    late = pod_problem(young, RECORDED_PAIR, [], late=True)
    assert late is not None
    assert late.path == "storage"


def waiting(reason: str) -> dict[str, Any]:
    status = {"name": "probe", "state": {"waiting": {"reason": reason, "message": "m"}}}
    return {
        "metadata": {"name": "p", "uid": "u"},
        "spec": {"nodeName": "w1"},
        "status": {"containerStatuses": [status], "phase": "Pending"},
    }


def test_a_missing_image_names_the_node_and_what_brings_it() -> None:
    problem = pod_problem(waiting("ErrImageNeverPull"), RECORDED_PAIR, [], late=False)
    assert problem is not None
    assert problem.message == "w1 does not have the image with the tools"
    assert "networks.test_tools: true" in problem.remedy


def test_a_pod_that_the_kubelet_refused_is_given_up() -> None:
    status = {"phase": "Failed", "reason": "TopologyAffinityError", "message": "Resources cannot be allocated"}
    failed = {"metadata": {"name": "p"}, "spec": {"nodeName": "w1"}, "status": status}
    problem = pod_problem(failed, RECORDED_PAIR, [], late=False)
    assert problem is not None
    assert "TopologyAffinityError: Resources cannot be allocated" in problem.message


SANDBOX = (
    'plugin type="multus-shim" name="multus-cni-network" failed (add): CmdAdd (shim): status 400:'
    ' \'ContainerID:"1d04" ERRORED: error configuring pod [gedge-perf/p] networking: '
    '[gedge-perf/p/e651:shared]: error adding container to network "shared": {reason}\n'
    '\': StdinData: {{"capabilities":{{}}}}'
)


@pytest.mark.parametrize(
    ("reason", "final"), [("failed to create ipvlan: operation not supported", True), ("context deadline", False)]
)
def test_what_a_plugin_says_stands_without_the_request(reason: str, final: bool) -> None:
    event = Event.model_validate(
        {
            "involvedObject": {"name": "p", "uid": "u"},
            "reason": "FailedCreatePodSandBox",
            "message": SANDBOX.format(reason=reason),
        }
    )
    pod = waiting("ContainerCreating")
    now = pod_problem(pod, RECORDED_PAIR, [event], late=False)
    assert (now is not None) == final
    later = pod_problem(pod, RECORDED_PAIR, [event], late=True)
    assert later is not None
    assert later.message == f'w1: error adding container to network "shared": {reason}'


def test_servers_of_rdma_measurements_can_begin_anew() -> None:
    """One whose client was killed would wait for it for ever; it runs in a loop, and its id is in a file of the pod."""
    fast = attached("fast", type="macvlan", master="eth0", rdma="soft")
    server = next(pod for pod in objects(fast) if pod["metadata"]["name"].startswith("server"))
    script = server["spec"]["containers"][0]["command"][-1]
    for measure in RDMA_MEASURES:
        file = renewal_words(measure)[-1].removeprefix("kill -KILL $(cat ").rstrip(")")
        assert f"& echo $! >{file}; wait;" in script
