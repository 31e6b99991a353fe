"""The objects of a look into an image: a namespace and one pod that may do nothing."""

from __future__ import annotations

from gedge_provision.models.cluster import Manifest
from gedge_provision.planning.gpu_images._choice import Place
from gedge_provision.planning.manifests import MANAGED
from gedge_provision.planning.own_pods import OwnSpace, own_pod_spec

__all__ = ["CONTAINER", "POD_NAME", "SPACE", "pod"]

SPACE = OwnSpace("gedge-gpu-check", "looks into an image")
POD_NAME, CONTAINER = "look", "image"


def pod(image: str, script: str, place: Place, limit_s: int) -> Manifest:
    """Return the pod: the image with a script instead of its own program.

    Args:
        image: the image.
        script: what its shell runs.
        place: where, and with which GPU.
        limit_s: seconds after which the kubelet ends it by itself.
    """
    resources: Manifest = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}
    # An image may ask for all GPUs by its own variable, and a runtime may listen to it.
    variables = {"NVIDIA_VISIBLE_DEVICES": "void"}
    if place.resource is not None:
        resources["requests"][place.resource] = resources["limits"][place.resource] = "1"
        variables = {"NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}  # utility has nvidia-smi
    container: Manifest = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "resources": resources,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD_NAME, "namespace": SPACE.name, "labels": MANAGED},
        "spec": own_pod_spec(container, place.node, limit_s) | {"restartPolicy": "Never"},
    }
