"""Services on a cluster: load a document, bring it up, see how it does, take it down."""

from gedge_provision.adapters.kube import connect
from gedge_provision.services.documents import load_service
from gedge_provision.services.fit import fit_service
from gedge_provision.services.rollout import Applied, apply_service, delete_service
from gedge_provision.services.status import PodLine, ServiceLine, ServiceStatus, list_services, read_status

__all__ = [
    "Applied",
    "PodLine",
    "ServiceLine",
    "ServiceStatus",
    "apply_service",
    "connect",
    "delete_service",
    "fit_service",
    "list_services",
    "load_service",
    "read_status",
]
