"""What keeps the GPU operator's stack from being well: part, node, cause and remedy, from what the cluster shows."""

from __future__ import annotations

from typing import Any

import pytest

from gedge_provision.planning.gpu_stack import diagnose, explain_chart, progress, read_look, suspects, told

NODE = "gedgew01"
DRIVER, TOOLKIT, VALIDATOR = (
    "nvidia-driver-daemonset",
    "nvidia-container-toolkit-daemonset",
    "nvidia-operator-validator",
)


def node(name: str = NODE, taints: list[dict[str, str]] | None = None, gpus: str = "1") -> dict[str, Any]:
    return {
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"nvidia.com/gpu.present": "true", "nvidia.com/gpu.deploy.driver": "true"},
        },
        "spec": {"taints": taints or []},
        "status": {"allocatable": {"cpu": "4", "nvidia.com/gpu": gpus}},
    }


def daemon_set(name: str, **template: Any) -> dict[str, Any]:
    return {
        "kind": "DaemonSet",
        "metadata": {"name": name, "generation": 2},
        "spec": {"template": {"spec": {"nodeSelector": {"nvidia.com/gpu.deploy.driver": "true"}, **template}}},
        "status": {"observedGeneration": 2},
    }


def pod(owner: str, state: dict[str, Any] | None = None, *, init: bool = False, **more: Any) -> dict[str, Any]:
    """Return a pod of a DaemonSet; without a state it is ready."""
    ready = state is None
    status = {"name": "main", "image": "registry.test/x:1", "ready": ready, "state": state or {"running": {}}, **more}
    return {
        "kind": "Pod",
        "metadata": {"name": f"{owner}-abcde", "ownerReferences": [{"kind": "DaemonSet", "name": owner}]},
        "spec": {"nodeName": NODE, "initContainers": [{"name": "main"}] if init else []},
        "status": {
            "phase": "Running" if ready else "Pending",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "initContainerStatuses" if init else "containerStatuses": [status],
        },
    }


def event(about: dict[str, Any], message: str, reason: str = "Failed") -> dict[str, Any]:
    return {
        "kind": "Event",
        "involvedObject": {"kind": about["kind"], "name": about["metadata"]["name"]},
        "message": message,
        "reason": reason,
    }


def policy(state: str) -> dict[str, Any]:
    return {"kind": "ClusterPolicy", "metadata": {"name": "cluster-policy"}, "status": {"state": state}}


CRASHED = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}
CREATING = {"waiting": {"reason": "ContainerCreating"}}


def found(*items: dict[str, Any], log: str = "", state: str = "ready") -> list[tuple[str, str, str]]:
    """Return part, node and name of the cause of each finding."""
    look = read_look([*items, policy(state)])
    logs = dict.fromkeys(((name, container) for name, container, _ in suspects(look)), log)
    return [(one.part, one.node, one.cause.name) for one in diagnose(look, [NODE], logs)]


def message(*items: dict[str, Any], log: str = "") -> str:
    look = read_look([*items, policy("notReady")])
    logs = dict.fromkeys(((name, container) for name, container, _ in suspects(look)), log)
    return told(diagnose(look, [NODE], logs))


def test_a_whole_stack_has_nothing_to_tell() -> None:
    assert found(node(), daemon_set(DRIVER), pod(DRIVER)) == []


def test_a_crash_is_told_with_its_exit_code_and_its_last_lines() -> None:
    crashed = pod(VALIDATOR, CRASHED, lastState={"terminated": {"exitCode": 3}}, restartCount=4)
    look = (node(), daemon_set(VALIDATOR), crashed)
    assert found(*look) == [(VALIDATOR, NODE, "crash")]
    said = message(*look, log="one\n\ntwo\nthree\nfour: no such device\n")
    assert said.startswith(
        f"{VALIDATOR} on {NODE}: its container main ends again and again (exit code 3) -> read its last lines"
    )
    assert said.splitlines()[1:3] == ["    | three", "    | four: no such device"]
    assert suspects(read_look(look)) == ((f"{VALIDATOR}-abcde", "main", True),)


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("Resolving Linux kernel version...\nCould not resolve Linux kernel version", "headers"),
        ("E: Unable to locate package linux-headers-6.12.9-custom", "headers"),
        ("modprobe: ERROR: could not insert 'nvidia': Key was rejected by service", "secure-boot"),
        ("The Nouveau kernel driver is currently in use by your system", "nouveau"),
        ("Could not unload NVIDIA driver kernel modules, driver is in use", "driver-in-use"),
        ("Unable to set MIG mode: In use by another client", "mig-in-use"),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", "no-driver"),
        ("Unloading nouveau driver...\nsomething nobody knows", "crash"),
    ],
)
def test_logs_that_are_known(log: str, cause: str) -> None:
    assert found(node(), daemon_set(DRIVER), pod(DRIVER, CRASHED), log=log) == [(DRIVER, NODE, cause)]


def test_missing_headers_have_a_remedy() -> None:
    said = message(node(), daemon_set(DRIVER), pod(DRIVER, CRASHED), log="Could not resolve Linux kernel version")
    assert "the kernel headers of the host's kernel are missing -> boot a kernel whose headers" in said


def test_a_handler_that_containerd_does_not_have() -> None:
    waits = pod(VALIDATOR, CREATING)
    said = event(
        waits,
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for "
        '"nvidia" is configured',
        "FailedCreatePodSandBox",
    )
    assert found(node(), daemon_set(VALIDATOR), waits, said) == [(VALIDATOR, NODE, "wrong-runtime-class")]
    assert "containerd on this node has no handler nvidia" in message(node(), daemon_set(VALIDATOR), waits, said)


def test_a_runtime_class_that_is_not_there() -> None:
    one = daemon_set(VALIDATOR, runtimeClassName="nvidia")
    said = event(one, 'Error creating: pods "x" is forbidden: RuntimeClass.node.k8s.io "nvidia" not found')
    assert found(node(), one, said) == [(VALIDATOR, NODE, "wrong-runtime-class")]
    assert "there is no RuntimeClass nvidia -> the operator makes it" in message(node(), one, said)


def test_a_node_with_a_taint_to_which_its_daemon_set_is_complete() -> None:
    tainted = node(taints=[{"key": "team", "value": "vision", "effect": "NoSchedule"}])
    assert found(tainted, daemon_set(DRIVER)) == [(DRIVER, NODE, "taint")]
    assert "it does not tolerate the taint team=vision:NoSchedule -> name the taint in the class" in message(
        tainted, daemon_set(DRIVER)
    )


@pytest.mark.parametrize(
    ("toleration", "cause"),
    [
        ({"operator": "Exists"}, "no-pod"),
        ({"key": "team", "operator": "Exists"}, "no-pod"),
        ({"key": "team", "value": "vision", "effect": "NoSchedule"}, "no-pod"),
        ({"key": "team", "value": "speech", "effect": "NoSchedule"}, "taint"),
        ({"key": "team", "operator": "Exists", "effect": "NoExecute"}, "taint"),
        ({"key": "other", "operator": "Exists"}, "taint"),
    ],
)
def test_tolerations_are_judged_as_kubernetes_does(toleration: dict[str, str], cause: str) -> None:
    tainted = node(taints=[{"key": "team", "value": "vision", "effect": "NoSchedule"}])
    assert found(tainted, daemon_set(DRIVER, tolerations=[toleration])) == [(DRIVER, NODE, cause)]


def test_taints_of_kubernetes_are_no_cause() -> None:
    pressed = node(taints=[{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}])
    assert found(pressed, daemon_set(DRIVER)) == [(DRIVER, NODE, "no-pod")]


def test_a_pod_that_cannot_be_scheduled_for_a_taint_is_of_the_node_that_it_is_for() -> None:
    waits = pod(DRIVER)
    del waits["spec"]["nodeName"]
    field = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [NODE]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [field]}}
    waits["spec"]["affinity"] = {"nodeAffinity": required}
    text = "0/2 nodes are available: 1 node(s) had untolerated taint {team: vision}."
    waits["status"] = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": text}]}
    assert found(node(), daemon_set(DRIVER), waits) == [(DRIVER, NODE, "taint")]


def test_an_image_that_cannot_be_pulled_is_told_with_the_word_of_the_registry() -> None:
    waits = pod(TOOLKIT, {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}})
    said = event(
        waits, 'Failed to pull image "registry.test/x:1": rpc error: dial tcp: lookup registry.test: no such host'
    )
    look = (node(), daemon_set(TOOLKIT), waits, said, event(waits, "Error: ImagePullBackOff"))
    assert found(*look) == [(TOOLKIT, NODE, "image")]
    assert "the image registry.test/x:1 cannot be pulled (no such host) -> let the node reach its registry" in message(
        *look
    )


def test_what_others_wait_for_stands_first() -> None:
    waits = pod(VALIDATOR, {"running": {}}, init=True)
    look = (node(gpus="0"), daemon_set(DRIVER), daemon_set(VALIDATOR), waits, pod(DRIVER, CRASHED))
    assert found(*look, log="waiting", state="notReady") == [
        (DRIVER, NODE, "crash"),
        (VALIDATOR, NODE, "waits"),
        ("", "", "policy"),
        ("", NODE, "no-resource"),
    ]


def test_a_stack_without_parts_and_a_node_without_gpus_in_its_offer() -> None:
    assert found(node(gpus="0")) == [("", "", "policy"), ("", NODE, "no-resource")]
    look = read_look([node(gpus="0"), daemon_set(DRIVER), pod(DRIVER), policy("ready")])
    assert diagnose(look, [NODE], {}, resources=False) == ()


def test_nodes_that_the_operator_leaves_alone_need_nothing() -> None:
    left = node(gpus="0")
    left["metadata"]["labels"]["nvidia.com/gpu.deploy.operands"] = "false"
    assert found(left, daemon_set(TOOLKIT, nodeSelector={})) == []


def test_a_change_that_is_not_rolled_out_is_waited_for() -> None:
    late = daemon_set(DRIVER)
    late["metadata"]["generation"] = 3
    assert found(node(), late, pod(DRIVER)) == [(DRIVER, "", "change")]


def test_a_message_stays_short() -> None:
    nodes = [node(f"n{number}", taints=[{"key": "a", "effect": "NoSchedule"}]) for number in range(6)]
    said = told(diagnose(read_look([*nodes, daemon_set(DRIVER)]), [], {}))
    assert len(said.splitlines()) == 4
    assert said.splitlines()[-1] == f"and then: {DRIVER} on n3, {DRIVER} on n4, {DRIVER} on n5"


def line(*items: dict[str, Any], state: str = "notReady") -> str:
    look = read_look([*items, policy(state)])
    return progress(look, [NODE], diagnose(look, [NODE], {}))


RUNS = {"running": {}}


@pytest.mark.parametrize(
    ("items", "told_as"),
    [
        ((pod(DRIVER, CREATING), pod(TOOLKIT, RUNS, init=True)), f"{DRIVER} on {NODE}: its container is not made yet"),
        ((pod(DRIVER, RUNS), pod(TOOLKIT, RUNS, init=True)), f"{DRIVER} on {NODE}: the driver is compiled and loaded"),
        ((pod(DRIVER), pod(TOOLKIT, RUNS)), f"{TOOLKIT} on {NODE}: it runs, and is not ready yet"),
        ((pod(DRIVER), pod(TOOLKIT, RUNS, init=True)), f"{TOOLKIT} on {NODE}: it waits for another part"),
        ((pod(DRIVER, CRASHED), pod(TOOLKIT, RUNS)), f"{DRIVER} on {NODE}: its container main ends again and again"),
    ],
)
def test_whoever_waits_sees_what_the_others_wait_for(items: tuple[dict[str, Any], ...], told_as: str) -> None:
    for item in items:
        if item["status"].get("initContainerStatuses"):  # its own container is made when that has ended
            item["status"]["containerStatuses"] = [
                {"name": "other", "state": {"waiting": {"reason": "PodInitializing"}}}
            ]
    sets = (daemon_set(DRIVER), daemon_set(TOOLKIT))
    assert line(node(gpus="0"), *sets, *items).startswith(f"0 of 1 nodes validated, {told_as}")


def test_nodes_that_are_validated_are_counted() -> None:
    late = pod(DRIVER, RUNS)
    late["spec"]["nodeName"] = "n2"
    look = (node(), node("n2", gpus="0"), node("n3", gpus="0"), daemon_set(DRIVER), pod(DRIVER), late)
    assert line(*look) == f"1 of 3 nodes validated, {DRIVER} on n2: the driver is compiled and loaded (1 more node)"
    assert line(node(), daemon_set(DRIVER), pod(DRIVER)) == (
        "1 of 1 nodes validated, the cluster: ClusterPolicy cluster-policy is notReady"
    )
    assert line(state="").startswith("0 of 0 nodes validated, the cluster: the operator has made none of its parts")


URL = "http://10.0.0.1:8879"


@pytest.mark.parametrize(
    ("said", "told_as"),
    [
        (
            f'Error: looks like "{URL}" is not a valid chart repository or cannot be reached: Get "{URL}/index.yaml"',
            f"the chart server {URL} cannot be reached (Get",
        ),
        (
            f'Error: chart "gpu-operator" version "v26.7.0" not found in {URL} repository',
            f"the chart server {URL} has no chart gpu-operator v26.7.0 -> put that version there",
        ),
        (
            f"Error: failed to fetch {URL}/gpu-operator-v26.7.0.tgz : 404 Not Found",
            f"the chart cannot be fetched from {URL}/gpu-operator-v26.7.0.tgz (404 Not Found) -> let the first",
        ),
        ("Error: x509: certificate signed by unknown authority", "the certificate of the chart server is not trusted"),
        ('Error: path "/x.tgz" not found', "the chart /x.tgz is not on the first control-plane node -> gedge apply"),
        ("Error: something else", "Error: something else"),
    ],
)
def test_what_helm_says_of_charts(said: str, told_as: str) -> None:
    assert explain_chart(said).startswith(told_as)
