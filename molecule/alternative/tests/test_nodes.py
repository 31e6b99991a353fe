"""Every node with every setting changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Node
    from testinfra.host import Host

MIRROR = """
import http.server
class Mirror(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        print(self.path, flush=True)
        self.send_error(404)
    do_GET = do_HEAD
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", 5999), Mirror).serve_forever()
"""


@pytest.mark.parametrize(
    ("name", "words"), [("net.ipv4.ip_local_port_range", ["20000", "60999"]), ("net.core.somaxconn", ["8192"])]
)
def test_kernel_settings_hold(node: Node, name: str, words: list[str]) -> None:
    assert node.setting(name) == words


def test_the_clock_is_left_alone(host: Host) -> None:
    assert not host.service("systemd-timesyncd.service").is_running


def test_images_came_over_ssh(host: Host, node: Node) -> None:
    items = host.ansible.get_variables()["artifacts_items"]
    assert {item["target"] for item in items if item["kind"] == "image"} <= node.images()


def test_sandboxes_are_made_from_the_other_image(node: Node) -> None:
    assert node.sandbox_images() == {"registry.k8s.io/e2e-test-images/agnhost:2.63.0"}


def test_containerd_asks_the_mirror_first(host: Host, node: Node) -> None:
    """A real listener takes the mirror's place and tells what it was asked for; it has no image to give."""
    pull = "timeout 5 crictl pull docker.io/edge/none:7"
    ask = f"timeout 20 python3 -c '{MIRROR}' > /run/mirror.asked & sleep 1; {pull}; kill $!"
    try:
        host.run(ask)
        assert "/v2/edge/none/manifests/7?ns=docker.io" in node.tell("cat /run/mirror.asked")
    finally:
        host.run("rm -f /run/mirror.asked")


def test_the_overlay_has_its_own_number_and_port(node: Node) -> None:
    vxlan = node.interface("flannel.7")["linkinfo"]["info_data"]
    assert (vxlan["id"], vxlan["port"]) == (7, 8473)
