"""Secondary networks on a cluster: pods get what the site file promises, and what is broken by hand is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from lab_cluster import MORE

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

FIRST, SECOND = "gedgew01", "gedgew02"
NETWORKS = """
networks:
  test_tools: true
  attachments:
    - name: data
      type: macvlan
      master: eth0
      mtu: 1400
      ipam: {type: whereabouts, range: 10.56.0.0/24}
    - {name: named, namespace: apps, type: macvlan, master: eth0, ipam: {type: static}}
    - {name: local, type: bridge, bridge: br-local, ipam: {type: whereabouts, range: 10.57.0.0/24}}
"""
CONFLIST = "/etc/cni/net.d/10-flannel.conflist"
BEFORE = "/etc/cni/net.d/00-aaa.conflist"
PLUGIN = "/opt/cni/bin/macvlan"


def judged(report: dict[str, Any]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return status and evidence of the checks of secondary networks."""
    return {
        (check["node"], check["id"]): (check["status"], check["evidence"])
        for check in report["checks"]
        if check["concern"] == "attachments"
    }


def test_pods_get_what_the_site_promises_and_what_is_broken_is_told(lab: LabCluster) -> None:
    before = lab.site_path.read_text(encoding="utf-8")
    lab.site_path.write_text(before.replace("networks: {test_tools: true}\n", NETWORKS), encoding="utf-8")
    assert "networks: {test_tools: true}\n" in MORE
    first, second = lab.hosts[FIRST], lab.hosts[SECOND]
    try:
        lab.gedge("apply", "--only", "artifacts,attachments")
        report = json.loads(lab.gedge("verify", "--probe", "--output", "json").stdout)
        found = judged(report)
        assert {name: said for name, said in found.items() if said[0] == "fail"} == {}
        assert found["", "probe-reach"][1] == (
            f"default/data {FIRST} to {SECOND}; apps/named {FIRST} to {SECOND}; default/local within {FIRST}"
        )
        assert found["", "probe-mtu"][1].startswith(f"default/data {FIRST} to {SECOND}: 1400 bytes")
        assert f"default/data on {SECOND}: net1 10.56.0." in found["", "probe-status"][1]
        assert lab.kubectl("get", "namespace", "gedge-verify", "--ignore-not-found", "-o", "name") == ""

        first.run(f"mv {PLUGIN} {PLUGIN}.away")
        second.run(f"cp {CONFLIST} {BEFORE}")
        broken = judged(json.loads(lab.gedge("verify", "--probe", "--output", "json", code=1).stdout))
        assert broken[FIRST, "attachments-plugins"][1].startswith("macvlan is not in /opt/cni/bin")
        assert broken[SECOND, "attachments-cni-first"][1] == "00-aaa.conflist stands before 00-multus.conf"
        status, said = broken["", "probe-pods"]
        assert status == "fail"
        assert f"default/data on {FIRST}: the CNI plugin macvlan is missing on the node" in said
        assert f"default/data on {SECOND}: its pod is ready and has no network-status of it" in said
        assert lab.kubectl("get", "namespace", "gedge-verify", "--ignore-not-found", "-o", "name") == ""
    finally:
        first.run(f"[ ! -e {PLUGIN}.away ] || mv {PLUGIN}.away {PLUGIN}")
        second.run(f"rm -f {BEFORE}")
        lab.site_path.write_text(before, encoding="utf-8")
        lab.gedge("apply", "--only", "artifacts,attachments")
        # What stays of a network: the bridge that its plugin made, and the namespace.
        first.run("ip link delete br-local 2>/dev/null || true")
        lab.kubectl("delete", "namespace", "apps", "--ignore-not-found")
