"""What a cluster is in the end: the same after runs that were killed and resumed as after one that was not."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab_cluster import Host, LabCluster

__all__ = ["State", "differences", "settled", "state", "wait_for_state"]

State = Mapping[str, Mapping[str, Any]]
"""By host (and `status` for what the cluster says): what is there by its name, with what it is."""

_LOOK = (Path(__file__).parent / "look_at_host.py").read_text(encoding="utf-8")


def settled(lab: LabCluster) -> None:
    """Wait until nothing differs: nodes take some seconds to be ready again."""
    end = time.monotonic() + 60
    while (plan := lab.plan())["hosts"] or plan["differences"]:
        assert time.monotonic() < end, plan
        time.sleep(2)


def state(lab: LabCluster) -> State:
    """Look at all hosts and ask the cluster."""
    with ThreadPoolExecutor() as pool:
        hosts = lab.hosts
        found = dict(zip(hosts, pool.map(_look, hosts.values()), strict=True))
        nodes = json.loads(lab.gedge("status", "--output", "json").stdout)
    return {**found, "status": {node["name"]: node for node in nodes}}


def _look(host: Host) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(host.run(f"python3 - <<'END'\n{_LOOK}\nEND"))
    return found


def differences(wanted: State, found: State) -> list[str]:
    """Name what differs, as `where: what: wanted -> found`."""
    return [
        f"{where}: {name}: {things.get(name)} -> {found[where].get(name)}"
        for where, things in wanted.items()
        for name in sorted({*things, *found[where]})
        if things.get(name) != found[where].get(name)
    ]


def wait_for_state(lab: LabCluster, wanted: State) -> None:
    """Wait until the state is as wanted: a node's own pods come some seconds after it has joined."""
    end = time.monotonic() + 120
    while wrong := differences(wanted, state(lab)):
        assert time.monotonic() < end, "\n".join(wrong)
        time.sleep(2)
