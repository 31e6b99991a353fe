"""From a node's topology and what its kubelet tells to what its pods own, where that is, and what is wrong. Pure."""

from gedge_provision.planning.pod_alignment._node import align_pods

__all__ = ["align_pods"]
