"""Three control-plane nodes behind a virtual address: one is lost, the cluster goes on, the node comes back."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab_cluster import LabCluster

pytestmark = [pytest.mark.e2e, pytest.mark.own_lab]

FIRST, SECOND = "gedgem01", "gedgem02"


def eventually(what: str, check: Callable[[], bool], seconds: float) -> float:
    """Wait until a check holds, and return how long it took."""
    began = time.monotonic()
    while True:
        reason = "the check does not hold"
        try:
            if check():
                return time.monotonic() - began
        except (AssertionError, subprocess.TimeoutExpired) as error:  # the API may be away for a moment
            reason = str(error)
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds:g} s: {reason}"
        time.sleep(1)


def ready(lab: LabCluster, host: str, node: str) -> bool:
    state = lab.kubectl(
        "get", "node", node, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}", host=host
    )
    return state.strip() == "True"


def test_the_loss_of_the_first_node(balanced_lab: LabCluster) -> None:
    lab = balanced_lab
    server = next(line for line in lab.kubeconfig.read_text().splitlines() if "server:" in line).split()[1]
    through_the_address = [f"--server={server}", "--request-timeout=5s"]
    assert lab.apply()["changed"] == {}
    lab.lab_verb("stop", FIRST, "--kill")
    try:
        eventually(
            "the API answers at the virtual address",
            lambda: lab.kubectl(*through_the_address, "get", "--raw", "/readyz", host=SECOND).strip() == "ok",
            60,
        )
        eventually("the lost node is seen", lambda: not ready(lab, SECOND, FIRST), 150)
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "after"},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [
                    {"name": "main", "image": "registry.k8s.io/e2e-test-images/agnhost:2.63.0", "args": ["pause"]}
                ],
            },
        }
        eventually(
            "a new pod is accepted",
            lambda: "after" in lab.kubectl("apply", "-f", "-", stdin=json.dumps(manifest), host=SECOND),
            30,
        )
        lab.kubectl("wait", "--for=condition=Ready", "pod/after", "--timeout=60s", host=SECOND)
        lab.kubectl("delete", "pod", "after", "--grace-period=1", host=SECOND)
    finally:
        lab.lab_verb("start", FIRST)
    eventually("the node comes back", lambda: ready(lab, SECOND, FIRST), 90)
    eventually("its own API server answers", lambda: ready(lab, FIRST, FIRST), 60)
    assert lab.apply()["changed"] == {}


def test_the_first_node_never_starts_a_second_cluster(balanced_lab: LabCluster) -> None:
    """Runs last: the site is not whole afterwards."""
    lab = balanced_lab
    lab.gedge("reset", "--yes", "--only", FIRST)
    assert "may run this site's control plane: this run does not look there -> run without --only" in flat(
        lab.gedge("apply", "--only", FIRST, code=1).stderr
    )
    assert "this site's control plane runs on gedgem02, gedgem03" in flat(lab.gedge("apply", code=1).stderr)
    assert "No such file" in lab.hosts[FIRST].run("ls /etc/kubernetes 2>&1", check=False)
    assert lab.hosts[FIRST].run("systemctl is-active keepalived", check=False).strip() != "active"


def flat(text: str) -> str:
    return " ".join(text.split())
