"""What the probe asks of a node: amounts as Kubernetes counts them."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.module_utils.kube_client import millicpu
from plugins.modules.node_probe import pod, requested, waiting


@pytest.mark.parametrize(("written", "amount"), [("2", 2000), ("500m", 500), ("1.5", 1500), ("0", 0), (3, 3000)])
def test_cpu_time_is_read_as_kubernetes_writes_it(written: str | int, amount: int) -> None:
    assert millicpu(written) == amount


def container(cpu: str | None = None, **more: Any) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu}} if cpu else {}, **more}


@pytest.mark.parametrize(
    ("spec", "amount"),
    [
        ({"containers": [container()]}, 0),
        ({"containers": [container("500m"), container("1")]}, 1500),
        ({"containers": [container("1")], "initContainers": [container("3")]}, 3000),
        ({"containers": [container("1")], "initContainers": [container("200m", restartPolicy="Always")]}, 1200),
    ],
)
def test_a_pod_asks_for_what_runs_together_or_for_the_largest_before(spec: dict[str, Any], amount: int) -> None:
    assert requested(spec) == amount


def test_a_probe_with_cpus_is_guaranteed_and_one_without_asks_for_nothing() -> None:
    (owner,) = pod("p", "n", "i", 2)["spec"]["containers"]
    assert owner["resources"] == {"requests": {"cpu": "2", "memory": "16Mi"}, "limits": {"cpu": "2", "memory": "16Mi"}}
    (other,) = pod("p", "n", "i", 0)["spec"]["containers"]
    assert other["resources"] == {"requests": {}, "limits": {}}


def test_what_a_pod_waits_for_is_told() -> None:
    states = [
        {"state": {"running": {}}},
        {"state": {"waiting": {"reason": "ErrImageNeverPull", "message": "no image"}}},
    ]
    assert waiting({"containerStatuses": states}) == "ErrImageNeverPull no image"
    assert waiting({}) == ""
