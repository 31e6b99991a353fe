"""Services and service meshes on a cluster: load a document, bring it up, see how it does, take it down."""

from gedge_provision.adapters.kube import connect
from gedge_provision.services.documents import Checked, check_documents, load_service, load_services
from gedge_provision.services.fit import fit_service
from gedge_provision.services.mesh_documents import check_meshes, load_mesh
from gedge_provision.services.mesh_status import (
    MeshLine,
    MeshStatus,
    RouteLine,
    VersionLine,
    list_meshes,
    read_mesh_status,
)
from gedge_provision.services.meshes import MeshApplied, apply_mesh, delete_mesh
from gedge_provision.services.rollout import (
    Applied,
    HistoryLine,
    apply_service,
    apply_services,
    delete_service,
    pause_service,
    promote_service,
    read_diff,
    read_history,
    restart_service,
    resume_service,
    rollback_service,
    running_service,
    scale_service,
)
from gedge_provision.services.status import PodLine, ServiceLine, ServiceStatus, list_services, read_status
from gedge_provision.services.templates import Templates

__all__ = [
    "Applied",
    "Checked",
    "HistoryLine",
    "MeshApplied",
    "MeshLine",
    "MeshStatus",
    "PodLine",
    "RouteLine",
    "ServiceLine",
    "ServiceStatus",
    "Templates",
    "VersionLine",
    "apply_mesh",
    "apply_service",
    "apply_services",
    "check_documents",
    "check_meshes",
    "connect",
    "delete_mesh",
    "delete_service",
    "fit_service",
    "list_meshes",
    "list_services",
    "load_mesh",
    "load_service",
    "load_services",
    "pause_service",
    "promote_service",
    "read_diff",
    "read_history",
    "read_mesh_status",
    "read_status",
    "restart_service",
    "resume_service",
    "rollback_service",
    "running_service",
    "scale_service",
]
