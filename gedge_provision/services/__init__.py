"""Services on a cluster: load a document, bring it up, see how it does, take it down."""

from gedge_provision.adapters.kube import connect
from gedge_provision.services.documents import Checked, check_documents, load_service
from gedge_provision.services.fit import fit_service
from gedge_provision.services.rollout import Applied, apply_service, delete_service
from gedge_provision.services.status import PodLine, ServiceLine, ServiceStatus, list_services, read_status
from gedge_provision.services.templates import Templates

__all__ = [
    "Applied",
    "Checked",
    "PodLine",
    "ServiceLine",
    "ServiceStatus",
    "Templates",
    "apply_service",
    "check_documents",
    "connect",
    "delete_service",
    "fit_service",
    "list_services",
    "load_service",
    "read_status",
]
