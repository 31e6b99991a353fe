"""Pods of `gedge` itself, which look at a cluster or measure it: what all of them have, and may not do. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gedge_provision.models.cluster import Manifest
from gedge_provision.planning.manifests import MANAGED

__all__ = ["OwnSpace", "own_pod_spec"]

_NOBODY = 65534


@dataclass(frozen=True)
class OwnSpace:
    """A namespace for such pods, of one run at a time.

    Attributes:
        name: its name, `gedge-` and a word.
        doing: what is done in it, as a verb after the name of the machine that has it.
        privileged: whether its pods may be privileged; otherwise they may do nothing.
    """

    name: str
    doing: str
    privileged: bool = False

    @property
    def place(self) -> str:
        """How errors name it."""
        return f"namespace {self.name}"

    @property
    def by(self) -> str:
        """Its annotation that names the machine which has it."""
        return f"gedge.dev/{self.name.removeprefix('gedge-')}-by"

    @property
    def until(self) -> str:
        """Its annotation that says when that one has ended at the latest."""
        return f"gedge.dev/{self.name.removeprefix('gedge-')}-until"

    def manifest(self, by: str, until: str) -> Manifest:
        """Return the namespace as Kubernetes has it."""
        level = "privileged" if self.privileged else "restricted"
        return {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": self.name,
                "labels": {**MANAGED, "pod-security.kubernetes.io/enforce": level},
                "annotations": {self.by: by, self.until: until},
            },
        }


def own_pod_spec(container: Manifest, node: str, limit_s: int) -> Manifest:
    """Return the spec of a pod with one container that runs as nobody, with no account of the cluster.

    Args:
        container: as Kubernetes has it.
        node: where; by affinity and not by nodeName, so that the scheduler says what the node lacks.
        limit_s: seconds after which the kubelet ends it by itself.
    """
    only = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [only]}]}
    return {
        "containers": [container],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}},
        "tolerations": [{"operator": "Exists"}],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "activeDeadlineSeconds": limit_s,
    }
