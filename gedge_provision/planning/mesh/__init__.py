"""Service meshes: what is wrong with a document, what it becomes in a cluster, and who routes there. Pure."""

from gedge_provision.planning.mesh.checks import check_loaded, check_mesh, mesh_notes
from gedge_provision.planning.mesh.data_plane import DataPlane, judge_inside, judge_outside
from gedge_provision.planning.mesh.manifests import (
    HOST_LABEL,
    MESH_DOCUMENT,
    MESH_LABEL,
    MESH_LISTED,
    mesh_objects,
    render_mesh,
    service_of,
)
from gedge_provision.planning.mesh.names import document_name, version_name

__all__ = [
    "HOST_LABEL",
    "MESH_DOCUMENT",
    "MESH_LABEL",
    "MESH_LISTED",
    "DataPlane",
    "check_loaded",
    "check_mesh",
    "document_name",
    "judge_inside",
    "judge_outside",
    "mesh_notes",
    "mesh_objects",
    "render_mesh",
    "service_of",
    "version_name",
]
