"""Will a service fit, on which nodes, how often, and what would fit instead? Pure.

The scheduler's rules are here, those of kubelets in planning.admission.
"""

from gedge_provision.planning.fit._asks import ask_of, guaranteed, requests_of
from gedge_provision.planning.fit._kubelet import Kubelet, kubelet_of, refusal
from gedge_provision.planning.fit._nodes import Room, fit_of
from gedge_provision.planning.fit._service import check_fit, fit_service
from gedge_provision.planning.fit._variants import largest_variant, with_amounts

__all__ = [
    "Kubelet",
    "Room",
    "ask_of",
    "check_fit",
    "fit_of",
    "fit_service",
    "guaranteed",
    "kubelet_of",
    "largest_variant",
    "refusal",
    "requests_of",
    "with_amounts",
]
