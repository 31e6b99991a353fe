"""Every node after the roles with their defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Node
    from testinfra.host import Host


# What host_prepare sets unless told otherwise, of that what belongs to a container node's own network namespace.
SETTINGS = {"net.ipv4.ip_forward": ["1"], "net.bridge.bridge-nf-call-iptables": ["1"]}


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_kernel_settings_hold(node: Node, name: str) -> None:
    assert node.setting(name) == SETTINGS[name]


def test_what_is_installed_is_what_the_catalog_names(host: Host, node: Node) -> None:
    items = host.ansible.get_variables()["artifacts_items"]
    files = {item["target"]: item["sha256"] for item in items if item["kind"] != "image"}
    printed = node.tell("sha256sum " + " ".join(files)).splitlines()
    assert {path: digest for digest, path in (line.split() for line in printed)} == files
    assert {item["target"] for item in items if item["kind"] == "image"} <= node.images()


@pytest.mark.parametrize("name", ["containerd", "kubelet"])
def test_services_run_our_binaries(host: Host, node: Node, name: str) -> None:
    service = host.service(f"{name}.service")
    assert service.is_running
    assert service.is_enabled
    assert node.programs(name) == {f"/usr/local/bin/{name}"}


def test_containerd_runs_as_configured(node: Node) -> None:
    running = node.runtime()
    runc = running["containerd"]["runtimes"]["runc"]["options"]
    assert runc["SystemdCgroup"]
    assert runc["BinaryName"] == "/usr/local/bin/runc"
    assert running["cni"]["binDirs"] == ["/opt/cni/bin"]
    assert node.sandbox_images() == {"registry.k8s.io/pause:3.10.2"}


def test_pods_live_in_systemd_slices(node: Node) -> None:
    cgroups = node.tell("cat /proc/$(pgrep -ox kube-proxy)/cgroup")
    assert "/kubepods.slice/" in cgroups
    assert "cri-containerd-" in cgroups


def test_the_overlay_is_vxlan_with_its_defaults(node: Node) -> None:
    link = node.interface("flannel.1")
    assert link["mtu"] == 1450
    vxlan = link["linkinfo"]["info_data"]
    assert (vxlan["id"], vxlan["port"]) == (1, 8472)


def test_service_rules_are_nftables(node: Node) -> None:
    assert "table ip kube-proxy" in node.tell("nft list tables")


def test_nothing_but_the_kubelet_answers_on_its_port(node: Node) -> None:
    assert 'users:(("kubelet"' in node.tell("ss -Hltnp sport = :10250")
