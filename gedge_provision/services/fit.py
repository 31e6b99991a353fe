"""Whether a service fits on a cluster now: read the cluster, and say what its scheduler and kubelets would."""

from __future__ import annotations

from collections.abc import Mapping

from gedge_provision.adapters.kube import Kube
from gedge_provision.models.cluster import NODE, POD, NodeState
from gedge_provision.models.fit import ServiceFit
from gedge_provision.models.pod_resources import NodeLook
from gedge_provision.models.pod_specs import RunningPod
from gedge_provision.models.service import Service
from gedge_provision.planning import fit

__all__ = ["fit_service"]


def fit_service(
    kube: Kube,
    service: Service,
    namespace: str = "default",
    *,
    replicas: int | None = None,
    looks: Mapping[str, NodeLook] | None = None,
) -> ServiceFit:
    """Return on which nodes a service fits beside what runs, and how many replicas in all; nothing is changed.

    Args:
        kube: the cluster.
        service: the service.
        namespace: where its objects live, or are to.
        replicas: how many are to fit; as many as the document asks for if left out.
        looks: what was seen of nodes over SSH, by name; else their annotations tell.
    """
    nodes = [NodeState.model_validate(item) for item in kube.find(NODE)]
    pods = [RunningPod.model_validate(item) for item in kube.find(POD)]
    return fit.fit_service(service, nodes, pods, namespace=namespace, replicas=replicas, looks=looks)
