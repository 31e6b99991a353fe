"""Lines of a status, and what changed between two."""

from __future__ import annotations

from typing import Any

import pytest

from gedge_provision.models.cluster import WatchEvent
from gedge_provision.models.node_summary import NodeSummary
from gedge_provision.models.site import Site
from gedge_provision.planning.node_status import after, changed, summaries

SITE = Site.model_validate(
    {
        "name": "edge",
        "nodes": [
            {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"]},
            {"name": "w1", "address": "192.0.2.2"},
        ],
    }
)


def node(name: str, *, ready: str = "True", heartbeat: str = "1", **spec: Any) -> dict[str, Any]:
    condition = {"type": "Ready", "status": ready, "reason": "Because", "lastHeartbeatTime": heartbeat}
    return {
        "metadata": {"name": name, "resourceVersion": heartbeat},
        "spec": spec,
        "status": {
            "conditions": [{"type": "DiskPressure", "status": "False"}, condition],
            "nodeInfo": {"kubeletVersion": "v1.36.4"},
            "capacity": {"cpu": "4"},
            "allocatable": {"cpu": "3500m"},
        },
    }


def test_nodes_stand_in_the_order_of_the_file_and_missing_ones_too() -> None:
    found = summaries(SITE, {"w1": node("w1"), "other": node("other")}, {"w1": "static", "other": "none"})
    assert found == (
        NodeSummary("m1", "192.0.2.1", ("control_plane",), "default", "missing"),
        NodeSummary("w1", "192.0.2.2", ("worker",), "default", "ready", "v1.36.4", "4", "3500m", "static"),
    )


@pytest.mark.parametrize(
    ("live", "state", "cordoned"),
    [
        (node("w1", unschedulable=True), "ready", True),
        (node("w1", ready="False"), "not ready: Because", False),
        (node("w1", ready="Unknown"), "not ready: Because", False),
        ({"metadata": {"name": "w1"}, "status": {}}, "not ready: its kubelet has not reported", False),
    ],
)
def test_states(live: dict[str, Any], state: str, cordoned: bool) -> None:
    found = summaries(SITE, {"w1": live}, {})[1]
    assert (found.state, found.cordoned) == (state, cordoned)


def test_events_make_nodes_come_change_and_go() -> None:
    live: dict[str, Any] = {"m1": node("m1")}
    live = after(live, WatchEvent("ADDED", node("w1")))
    assert set(live) == {"m1", "w1"}
    live = after(live, WatchEvent("MODIFIED", node("w1", unschedulable=True)))
    assert summaries(SITE, live, {})[1].cordoned
    live = after(live, WatchEvent("DELETED", node("w1")))
    assert live == {"m1": node("m1")}
    bookmark = WatchEvent("BOOKMARK", {"kind": "Node", "metadata": {"resourceVersion": "9"}})
    assert after(live, bookmark) == live
    assert bookmark.version == "9"


def test_only_what_is_visible_counts_as_a_change() -> None:
    before = summaries(SITE, {"m1": node("m1"), "w1": node("w1")}, {})
    heartbeat = summaries(SITE, {"m1": node("m1"), "w1": node("w1", heartbeat="2")}, {})
    assert changed(before, heartbeat) == ()
    cordoned = summaries(SITE, {"m1": node("m1"), "w1": node("w1", unschedulable=True)}, {})
    assert [item.name for item in changed(before, cordoned)] == ["w1"]
    assert changed((), before) == before
