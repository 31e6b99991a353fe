"""Probe pods on secondary networks: where they run, how they look, what they show and why they show nothing."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from gedge_provision.models.cluster import Event, NodeState
from gedge_provision.models.probes import ProbedPod
from gedge_provision.models.site import Site
from gedge_provision.planning.probes import (
    SPACE,
    ProbePod,
    choose_probes,
    crossings,
    objects,
    ping_command,
    probe_trouble,
    read_pod,
)

W1, W2, W3 = "gedgew01", "gedgew02", "gedgew03"
RESOURCE = "intel.com/intel_sriov_netdevice"
POLICY = {"name": "data", "nics": {"driver": "ice"}, "vfs": 4, "resource": RESOURCE, "mtu": 9000}


def site(*attachments: dict[str, Any]) -> Site:
    """Two nodes of one class, one of another."""
    return Site.model_validate(
        {
            "name": "edge",
            "node_classes": {"manager": {}, "ai": {"sriov": [POLICY]}, "plain": {}},
            "networks": {"attachments": [{"name": "net", **one} for one in attachments]},
            "nodes": [
                {"name": "gedgem01", "address": "192.0.2.11", "roles": ["control_plane"], "node_class": "manager"},
                {"name": W1, "address": "192.0.2.21", "node_class": "ai"},
                {"name": W2, "address": "192.0.2.22", "node_class": "ai"},
                {"name": W3, "address": "192.0.2.23", "node_class": "plain"},
            ],
        }
    )


def live(*, ready: tuple[str, ...] = (W1, W2, W3)) -> dict[str, NodeState]:
    return {
        name: NodeState.model_validate(
            {
                "metadata": {"name": name},
                "status": {"conditions": [{"type": "Ready", "status": "True" if name in ready else "False"}]},
            }
        )
        for name in (W1, W2, W3)
    }


def free(number: int = 4) -> dict[str, dict[str, Decimal]]:
    return {name: {RESOURCE: Decimal(number)} for name in (W1, W2, W3)}


MACVLAN = {"type": "macvlan", "master": "eth0", "ipam": {"type": "whereabouts", "range": "10.56.0.0/24"}}
SRIOV = {"type": "sriov", "resource": RESOURCE, "ipam": {"type": "static"}}


@pytest.mark.parametrize(
    ("attachment", "nodes"),
    [
        (MACVLAN, [W1, W3]),  # one of each class
        (MACVLAN | {"node_classes": ["ai"]}, [W1, W2]),  # another one of the only class
        (MACVLAN | {"node_classes": ["plain"]}, [W3, W3]),  # the only node
        (MACVLAN | {"node_classes": ["plain"], "mode": "passthru"}, [W3]),  # which has one such pod
        ({"type": "bridge", "bridge": "br0"}, [W1, W1, W3]),  # bridges end at the node
        (SRIOV, [W1, W2]),  # those with its resource
        (SRIOV | {"ipam": {"type": "static", "addresses": ["10.1.1.1/24"]}}, [W1]),  # one address, one pod
    ],
)
def test_a_node_of_each_class_has_a_pod_and_somebody_to_talk_to(attachment: dict[str, Any], nodes: list[str]) -> None:
    plan = choose_probes(site(attachment), live(), free())
    assert [pod.node for pod in plan.pods] == nodes
    assert plan.left_out == ()
    assert len({pod.name for pod in plan.pods}) == len(nodes)


def test_what_cannot_be_tried_without_harm_is_left_out_with_the_reason() -> None:
    taken = choose_probes(site(SRIOV), live(), free(0))
    assert taken.pods == ()
    assert taken.left_out == (
        f"default/net: no {RESOURCE} is free on {W1}",
        f"default/net: no {RESOURCE} is free on {W2}",
    )
    device = choose_probes(site({"type": "host-device", "device": "eth9"}), live(), free())
    assert device.left_out == ("default/net: a pod would take eth9 off the host",)
    away = choose_probes(site(MACVLAN), live(ready=()), free())
    assert away.left_out == ("default/net: no node that has it is ready",)
    assert [pod.node for pod in choose_probes(site(SRIOV), live(ready=(W2,)), free()).pods] == [W2, W2]


def test_pods_of_a_wave_share_devices_and_those_of_the_next_have_them_again() -> None:
    plan = choose_probes(site(SRIOV, SRIOV | {"name": "other"}), live(), free(1))
    assert [{pod.network for pod in wave} for wave in plan.waves] == [{"default/net"}, {"default/other"}]
    assert plan.left_out == ()
    together = choose_probes(site(SRIOV, SRIOV | {"name": "other"}), live(), free(2))
    assert [[pod.node for pod in wave] for wave in together.waves] == [[W1, W2, W1, W2]]


def test_a_node_has_few_probe_pods_at_a_time() -> None:
    many = [MACVLAN | {"name": f"net{number}", "node_classes": ["ai"]} for number in range(9)]
    plan = choose_probes(site(*many), live(), free())
    assert [len(wave) for wave in plan.waves] == [8, 8, 2]
    assert len({pod.name for pod in plan.pods}) == 2 * len(many)


def test_pods_that_name_their_address_name_link_local_ones() -> None:
    plan = choose_probes(site(SRIOV, MACVLAN | {"name": "other"}), live(), free())
    assert [pod.address for pod in plan.pods] == ["169.254.20.1/24", "169.254.20.2/24", "", ""]
    assert [pod.mtu for pod in plan.pods] == [9000, 9000, 0, 0]


def chosen(attachment: dict[str, Any]) -> ProbePod:
    return choose_probes(site(attachment), live(), free()).pods[0]


def test_pods_may_do_nothing_and_end_by_themselves() -> None:
    pod = chosen(SRIOV)
    found = {
        "metadata": {
            "name": "net",
            "namespace": "default",
            "uid": "1",
            "annotations": {"k8s.v1.cni.cncf.io/resourceName": RESOURCE, "somebody": "else"},
        },
        "spec": {"config": '{"name": "net"}'},
    }
    copy, made = objects([pod], {"default/net": found}, "tools:1", tools=True, limit_s=90)
    assert copy["spec"] == found["spec"]
    assert copy["metadata"]["annotations"] == {"k8s.v1.cni.cncf.io/resourceName": RESOURCE}
    spec = made["spec"]
    (container,) = spec["containers"]
    assert spec["activeDeadlineSeconds"] == 90
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert not spec["automountServiceAccountToken"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert container["imagePullPolicy"] == "Never"
    assert container["resources"]["limits"] == {RESOURCE: "1"}
    (network,) = json.loads(made["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"])
    assert network == {
        "name": copy["metadata"]["name"],
        "namespace": SPACE.name,
        "interface": "net1",
        "ips": ["169.254.20.1/24"],
    }
    assert SPACE.manifest("me", "then")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert (
        "command" not in objects([pod], {"default/net": found}, "p", tools=False, limit_s=9)[1]["spec"]["containers"][0]
    )


def status(pod: ProbePod, **entry: Any) -> dict[str, Any]:
    told = [{"name": "cbr0", "default": True}, {"name": f"{SPACE.name}/{pod.definition}", **entry}]
    return {"metadata": {"annotations": {"k8s.v1.cni.cncf.io/network-status": json.dumps(told)}}}


def test_network_status_is_read_and_what_it_lacks_is_named() -> None:
    pod = chosen(SRIOV)
    device = {"type": "pci", "pci": {"pci-address": "0000:41:10.0"}}
    entry = {"interface": "net1", "ips": ["169.254.20.1"], "mac": "02:00:00:00:00:01", "device-info": device}
    found = read_pod(pod, status(pod, **entry))
    assert (found.interface, found.addresses, found.device) == ("net1", ("169.254.20.1",), "0000:41:10.0")
    assert found.lacking == ()
    assert read_pod(pod, status(pod, interface="net1")).lacking == ("ips", "mac", "device-info.pci.pci-address")
    missing = read_pod(pod, {"metadata": {}})
    assert "the runtime does not call Multus" in missing.problem
    assert "attachments-cni-first" in missing.remedy


def pending(**pod_status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "uid": "u"}, "spec": {"nodeName": W1}, "status": pod_status}


SANDBOX = {
    'plugin "multus-shim" failed: failed to find plugin "macvlan" in path [/opt/cni/bin]': "the CNI plugin macvlan",
    "error at storage engine: Could not allocate IP in range: ip: 10.57.0.10": "its range has no free address",
    "no IP addresses available in range set: 10.9.0.10-10.9.0.99": "its range has no free address",
    "error dialing DHCP daemon: dial unix /run/cni/dhcp.sock: connect: no such file": "no DHCP daemon answers",
    "error calling DHCP.Allocate: no more tries": "no DHCP server answers",
    'failed to lookup master "eth9": Link not found': "the interface below it is missing",
    "failed to get VF information: no net directory under pci device 0000:41:10.0": "its virtual function has no",
    "cannot find a network-attachment-definition (net) in namespace (x)": "its NetworkAttachmentDefinition is missing",
    "error adding container to network net: something new": "error adding container to network net: something new",
}


@pytest.mark.parametrize("message", SANDBOX)
def test_what_a_cni_plugin_says_is_told_in_words_with_a_remedy(message: str) -> None:
    event = Event.model_validate(
        {"involvedObject": {"uid": "u"}, "type": "Warning", "reason": "FailedCreatePodSandBox", "message": message}
    )
    assert probe_trouble(pending(phase="Pending"), [event], late=False) is None
    found = probe_trouble(pending(phase="Pending"), [event], late=True)
    assert found is not None
    assert found.message.startswith(SANDBOX[message])
    assert found.remedy


def test_pods_that_are_refused_or_lack_their_image_are_not_waited_for() -> None:
    refused = probe_trouble(pending(phase="Failed", reason="UnexpectedAdmissionError", message="no"), [], late=False)
    assert refused is not None
    assert "UnexpectedAdmissionError: no" in refused.message
    waiting = [{"name": "probe", "state": {"waiting": {"reason": "ErrImageNeverPull"}}}]
    lacking = probe_trouble(pending(phase="Pending", containerStatuses=waiting), [], late=False)
    assert lacking is not None
    assert "lacks the image" in lacking.message
    assert probe_trouble(None, [], late=False) is None
    gone = probe_trouble(None, [], late=True)
    assert gone is not None
    assert gone.message == "its pod is gone"
    slow = probe_trouble(pending(phase="Pending"), [], late=True)
    assert slow is not None
    assert "does not get ready" in slow.message


def pod_on(node: str, attachment: str = "default/net", address: str = "10.1.1.1") -> ProbedPod:
    return ProbedPod(attachment=attachment, node=node, addresses=(address,) if address else ())


def test_the_first_pod_of_a_network_talks_to_the_others() -> None:
    pods = [pod_on(W1), pod_on(W2), pod_on(W3), pod_on(W1, "default/other"), pod_on(W2, "default/third", "")]
    assert [(one.node, two.node) for one, two in crossings(pods, frozenset())] == [(W1, W2), (W1, W3)]
    bridged = [pod_on(W1), pod_on(W1), pod_on(W3)]
    assert [(one.node, two.node) for one, two in crossings(bridged, frozenset({"default/net"}))] == [(W1, W1)]


def test_packets_of_the_mtu_are_sent_whole() -> None:
    assert ping_command("10.1.1.1", "10.1.1.2")[-3:] == ("-I", "10.1.1.1", "10.1.1.2")
    assert ping_command("10.1.1.1", "10.1.1.2", mtu=1500)[-5:] == ("-M", "do", "-s", "1472", "10.1.1.2")
