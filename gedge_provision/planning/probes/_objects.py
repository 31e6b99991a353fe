"""The objects of a look with probe pods: namespace, copies of definitions, pods."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from gedge_provision.models.cluster import Manifest
from gedge_provision.planning.manifests import MANAGED
from gedge_provision.planning.own_pods import OwnSpace, own_pod_spec
from gedge_provision.planning.probes._choice import ProbePod

__all__ = ["CONTAINER", "SPACE", "objects"]

SPACE = OwnSpace("gedge-verify", "looks at secondary networks")
CONTAINER = "probe"
_NETWORKS = "k8s.v1.cni.cncf.io/networks"
_RESOURCE = "k8s.v1.cni.cncf.io/resourceName"


def objects(
    pods: Sequence[ProbePod], live: Mapping[str, Manifest], image: str, *, tools: bool, limit_s: int
) -> list[Manifest]:
    """Return definitions and pods, in the order in which they are made.

    The definitions are copies of those in the cluster: pods may use other namespaces' ones only where Multus is told
    so. Their configurations keep their names, under which host-local and whereabouts keep books.

    Args:
        pods: the pods.
        live: the cluster's NetworkAttachmentDefinitions by namespace/name.
        image: the image.
        tools: whether it has a shell; otherwise it runs as it is.
        limit_s: seconds after which the kubelet ends the pods by itself.
    """
    copies = {pod.definition: _copy(live[pod.network], pod.definition) for pod in pods}
    return [*copies.values(), *(_pod(pod, image, tools=tools, limit_s=limit_s) for pod in pods)]


def _copy(found: Manifest, name: str) -> Manifest:
    notes = found["metadata"].get("annotations", {})
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {
            "name": name,
            "namespace": SPACE.name,
            "labels": MANAGED,
            "annotations": {key: value for key, value in notes.items() if key == _RESOURCE},
        },
        "spec": found.get("spec", {}),
    }


def _pod(pod: ProbePod, image: str, *, tools: bool, limit_s: int) -> Manifest:
    network: dict[str, object] = {"name": pod.definition, "namespace": SPACE.name, "interface": "net1"}
    if pod.address:
        network["ips"] = [pod.address]
    container: Manifest = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "Never",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if tools:
        container["command"] = ["catatonit", "--", "sh", "-c", "while :; do sleep 3600; done"]
    if pod.attachment.resource:
        amount = {pod.attachment.resource: "1"}
        container["resources"] = {"requests": amount, "limits": amount}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod.name,
            "namespace": SPACE.name,
            "labels": MANAGED,
            "annotations": {_NETWORKS: json.dumps([network])},
        },
        "spec": own_pod_spec(container, pod.node, limit_s),
    }
