"""The role gpu_operator on a cluster, with an EMULATED operator: a chart of ours that has NVIDIA's names and no GPU.

What is proved: values arrive as they were computed, a second run changes nothing, faults are told with part, node,
cause and remedy, and the removal leaves nothing. Nothing is proved of NVIDIA's chart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from chart_server import ChartServer, chart_server
from lab_cluster import ROOT, done, planned

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = [pytest.mark.e2e, pytest.mark.long]

CHART = ROOT / "tests" / "fixtures" / "charts" / "gpu-operator"
SPACE = ("-n", "gpu-operator")
MANAGER, FIRST, SECOND = "gedgem01", "gedgew01", "gedgew02"
PARTS = ("driver", "container-toolkit", "device-plugin", "operator-validator", "gpu-feature-discovery", "dcgm-exporter")
ONLY = ("--only", "artifacts,nodes,gpu")
RELEASE = ("Release", "gpu-operator/gpu-operator")
PATIENCE_S = 45
"""How long a fault is waited for: its pod must have been started, have failed and be held back."""
# A name that no emulated GPU of another test had here: a kubelet goes on telling 0 of those.
_NAME = "nvidia.com/mig-2g.10gb"
_RESOURCE = json.dumps({"status": {"capacity": {_NAME: "1"}}})
_NO_RESOURCE = json.dumps({"status": {"capacity": {_NAME: None}, "allocatable": {_NAME: None}}})


def with_gpus(text: str, server: str) -> str:
    """Return the lab's site file with GPUs: one worker of a class with the operator's driver, one with its own."""
    data = yaml.safe_load(text)
    data["node_classes"]["ai-worker"]["gpu"] = {}
    data["node_classes"]["own-driver"] = data["node_classes"]["ai-worker"] | {"gpu": {"driver": "preinstalled"}}
    for node in data["nodes"]:
        if node["name"] == SECOND:
            node["node_class"] = "own-driver"
    data["gpu_operator"] = {"chart_server": server}
    return str(yaml.safe_dump(data, sort_keys=False))


def patch_resource(lab: LabCluster, patch: str) -> None:
    for name in (FIRST, SECOND):
        lab.kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p", patch)


@pytest.fixture(scope="module")
def served(lab: LabCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChartServer]:
    """The chart server, and the site with GPUs installed; both go with what they brought."""
    before = lab.site_path.read_text(encoding="utf-8")
    # As the nodes reach this machine.
    gateway = lab.hosts[MANAGER].run("ip -4 route show default").split()[2]
    with chart_server(CHART, tmp_path_factory.mktemp("charts"), gateway) as server:
        try:
            # The hosts' owner has a proxy, which is not asked for this machine; sessions that are open know it not yet.
            lab.hosts[MANAGER].run(
                f"cp -p /etc/environment /tmp/environment; echo no_proxy={gateway} >> /etc/environment"
            )
            lab.hosts[MANAGER].run("pkill -f '^sshd: root'", check=False)
            lab.site_path.write_text(with_gpus(before, f"http://{gateway}:{server.port}"), encoding="utf-8")
            # What the real operator and its device plugin would tell of nodes with GPUs.
            for name in (FIRST, SECOND):
                mine = [f"nvidia.com/gpu.deploy.{part}=true" for part in PARTS if (name, part) != (SECOND, "driver")]
                lab.kubectl("label", "node", name, "nvidia.com/gpu.present=true", *mine)
            patch_resource(lab, _RESOURCE)
            assert ("create", *RELEASE) in planned(lab.plan(*ONLY))[MANAGER]
            lab.gedge("apply", *ONLY)
            yield server
        finally:
            lab.site_path.write_text(before, encoding="utf-8")
            lab.gedge("apply", *ONLY)
            patch_resource(lab, _NO_RESOURCE)
            lab.hosts[MANAGER].run("cp -p /tmp/environment /etc/environment")


def recorded(lab: LabCluster) -> dict[str, Any]:
    text = lab.kubectl("get", "configmap", "emulated-values", *SPACE, "-o", "jsonpath={.data.values\\.json}")
    values: dict[str, Any] = json.loads(text)
    return values


def gpu_check(lab: LabCluster, code: int = 0) -> tuple[str, str]:
    """Return status and evidence of what `gedge verify` says of the stack."""
    checks = json.loads(lab.gedge("verify", "--output", "json", code=code).stdout)["checks"]
    (check,) = [check for check in checks if check["id"] == "gpu-stack"]
    return check["status"], check["evidence"]


def told(lab: LabCluster) -> str:
    """Return what a run says of a stack that is not well."""
    return lab.playbook("site", "--tags", "gpu", "-e", f"gpu_operator_timeout_s={PATIENCE_S}", code=2)


def test_the_chart_gets_the_values_that_were_computed(lab: LabCluster, served: ChartServer) -> None:
    assert served.port
    computed = json.loads(lab.gedge("gpu", "values", "--output", "json").stdout)
    assert recorded(lab) == computed["values"]
    assert computed["values"]["devicePlugin"]["env"] == [{"name": "PASS_DEVICE_SPECS", "value": "true"}]
    node = json.loads(lab.kubectl("get", "node", SECOND, "-o", "json"))
    assert node["metadata"]["labels"]["nvidia.com/gpu.deploy.driver"] == "false"
    drivers = lab.kubectl("get", "pods", *SPACE, "-l", "app=nvidia-driver-daemonset", "-o", "jsonpath={..nodeName}")
    assert drivers.split() == [FIRST]  # one site file, one node with a driver of its own and one without
    result = json.loads(lab.gedge("apply", *ONLY, "--output", "json").stdout)
    assert done(result) == {}
    assert gpu_check(lab) == ("pass", "every part is ready, and the operator says so")
    # Values are no argument of a process, and neither they nor what helm fetched stay on the host.
    assert (
        lab.hosts[MANAGER].run("ls -d /run/gedge-helm-* /root/.cache/helm /root/.config/helm 2>/dev/null || true") == ""
    )


COMMAND = "/spec/template/spec/containers/0/command"
IMAGE = "/spec/template/spec/containers/0/image"
FAULTS = {
    "an operand that crashes": (
        "nvidia-operator-validator",
        {"op": "replace", "path": COMMAND, "value": ["/bin/sh", "-c", "echo 'emulated fault: no vectors'; exit 3"]},
        ["ends again and again", "(exit code 3)", "| emulated fault: no vectors", "kubectl logs --previous"],
    ),
    "a runtime class without a handler": (
        "nvidia-device-plugin-daemonset",
        {"op": "add", "path": "/spec/template/spec/runtimeClassName", "value": "nvidia"},
        ["containerd on this node has no handler nvidia", "the pod of the toolkit on this node adds it"],
    ),
    "missing kernel headers": (
        "nvidia-driver-daemonset",
        {
            "op": "replace",
            "path": COMMAND,
            "value": ["/bin/sh", "-c", "echo 'emulated: Could not resolve Linux kernel version'; exit 1"],
        },
        [f"nvidia-driver-daemonset on {FIRST}: the kernel headers of the host", "boot a kernel whose headers"],
    ),
    "an image that cannot be pulled": (
        "gpu-feature-discovery",
        {"op": "replace", "path": IMAGE, "value": "registry.test/emulated:1"},
        ["the image registry.test/emulated:1 cannot be pulled", "registry_mirrors of the site file"],
    ),
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_is_told_by_part_node_cause_and_remedy(lab: LabCluster, served: ChartServer, name: str) -> None:
    assert served.port
    part, patch, words = FAULTS[name]
    lab.kubectl("patch", "daemonset", part, *SPACE, "--type=json", "-p", json.dumps([patch]))
    try:
        said = told(lab)
        assert f"{part} on " in said
        assert [word for word in words if word not in said] == []
    finally:
        lab.kubectl("rollout", "undo", f"daemonset/{part}", *SPACE)
        lab.kubectl("rollout", "status", f"daemonset/{part}", *SPACE, "--timeout=90s")


def test_a_node_with_a_taint_is_told_though_its_daemon_set_is_complete(lab: LabCluster, served: ChartServer) -> None:
    assert served.port
    lab.kubectl("taint", "node", SECOND, "team=vision:NoSchedule")
    try:
        chosen = ("-l", "app=nvidia-dcgm-exporter", f"--field-selector=spec.nodeName={SECOND}")
        lab.kubectl("delete", "pod", *SPACE, *chosen)
        said = told(lab)
        assert f"nvidia-dcgm-exporter on {SECOND}: it does not tolerate the taint team=vision:NoSchedule" in said
        assert "name the taint in the class of the node" in said
        status, evidence = gpu_check(lab, code=1)
        assert status == "fail"
        assert f"nvidia-dcgm-exporter on {SECOND}: it does not tolerate the taint" in evidence
    finally:
        lab.kubectl("taint", "node", SECOND, "team-")
        lab.kubectl("rollout", "status", "daemonset/nvidia-dcgm-exporter", *SPACE, "--timeout=90s")


def test_a_chart_server_that_does_not_answer_is_told_and_the_removal_leaves_nothing(
    lab: LabCluster, served: ChartServer
) -> None:
    text = lab.site_path.read_text(encoding="utf-8")
    served.stop()
    lab.site_path.write_text(
        text.replace("gpu_operator:\n", "gpu_operator:\n  dcgm_exporter: false\n"), encoding="utf-8"
    )
    failed = lab.gedge("apply", "--only", "gpu", code=1)
    assert "cannot be reached" in failed.stdout + failed.stderr
    assert "correct gpu_operator.chart_server" in failed.stdout + failed.stderr

    data = yaml.safe_load(text)
    del data["gpu_operator"]
    for one in data["node_classes"].values():
        one.pop("gpu", None)
    lab.site_path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    assert ("remove", *RELEASE) in planned(lab.plan(*ONLY))[MANAGER]
    lab.gedge("apply", *ONLY)
    assert lab.kubectl("get", "namespace", "gpu-operator", "--ignore-not-found", "-o", "name") == ""
    assert lab.kubectl("get", "runtimeclass", "nvidia", "--ignore-not-found", "-o", "name") == ""
    assert "nvidia.com" not in lab.kubectl("get", "crds", "-o", "name")
    nodes = json.loads(lab.kubectl("get", "nodes", "-o", "json"))["items"]
    keys = [key for node in nodes for part in ("labels", "annotations") for key in node["metadata"].get(part, {})]
    assert [key for key in keys if key.startswith(("nvidia.com/", "nfd."))] == []
    paths = "/usr/local/bin/helm /var/lib/gedge/charts /var/lib/gedge/helm.json"
    assert lab.hosts[MANAGER].run(f"ls -d {paths} 2>/dev/null || true") == ""
