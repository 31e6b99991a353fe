"""What the scenarios' testinfra verifiers share: what the nodes say of themselves, never a file that a role wrote."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from testinfra.host import Host


@dataclass(frozen=True)
class Node:
    """A node, asked over SSH."""

    host: Host

    def tell(self, command: str) -> str:
        """Return what a command prints."""
        printed: str = self.host.check_output(command)
        return printed

    def interface(self, name: str) -> dict[str, Any]:
        """Return what the kernel says of an interface."""
        found: list[dict[str, Any]] = json.loads(self.tell(f"ip -details -json link show {name}"))
        return found[0]

    def setting(self, name: str) -> list[str]:
        """Return a kernel setting's words."""
        return self.tell(f"cat /proc/sys/{name.replace('.', '/')}").split()

    def runtime(self) -> dict[str, Any]:
        """Return the configuration that containerd runs with."""
        found: dict[str, Any] = json.loads(self.tell("crictl info"))["config"]
        return found

    def images(self) -> set[str]:
        """Return the names of the images that containerd has for Kubernetes."""
        found = json.loads(self.tell("crictl images --output json"))["images"]
        return {tag for image in found for tag in image["repoTags"]}

    def sandbox_images(self) -> set[str]:
        """Return the images that the sandboxes of the node's pods were made from."""
        said = self.tell("for pod in $(crictl pods --quiet --state ready); do crictl inspectp $pod; done")
        return set(re.findall(r'"io.kubernetes.cri.podsandbox.image-name": "(.*?)"', said))

    def programs(self, name: str) -> set[str]:
        """Return the files that the processes of that name run from."""
        return set(self.tell(f"for pid in $(pgrep -x {name}); do readlink /proc/$pid/exe; done").split())


@dataclass(frozen=True)
class Cluster:
    """The API, asked on the control-plane node."""

    node: Node

    def kubectl(self, *words: str) -> str:
        """Run kubectl as the administrator."""
        quoted = " ".join(f"'{word}'" for word in words)
        return self.node.tell(
            f"KUBECACHEDIR=/run/gedge/kubectl kubectl --kubeconfig /etc/kubernetes/admin.conf {quoted}"
        )

    def get(self, *words: str) -> dict[str, Any]:
        """Return objects of the API."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *words, "-o", "json"))
        return found

    def running_kubelet(self, node: str) -> dict[str, Any]:
        """Return the configuration that a kubelet runs with."""
        answer = self.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/configz")
        found: dict[str, Any] = json.loads(answer)["kubeletconfig"]
        return found

    def certificate_names(self, endpoint: str) -> str:
        """Return the names in the certificate that an API server shows."""
        show = "openssl x509 -noout -ext subjectAltName"
        return self.node.tell(f"openssl s_client -connect {endpoint} </dev/null 2>/dev/null | {show}")


@pytest.fixture
def node(host: Host) -> Node:
    return Node(host)


@pytest.fixture
def cluster(node: Node) -> Cluster:
    """Return the cluster, for tests whose host is the control-plane node."""
    return Cluster(node)
