"""The Python API: what `gedge` does with sites, services and meshes, as functions. What is not named here may change.

Long work tells a `Reporter` what it does; leave it out to hear nothing. Errors are those of the command line:

    GedgeError                 something failed
    ├── UsageError             the input is wrong, nothing was changed
    │   ├── DocumentError      a document does not validate; has every finding with file:line
    │   └── InfeasibleError    a host cannot have what is asked of its CPUs; has every reason and the smallest change
    ├── NotFittingError        the request is valid, and no node can hold it
    ├── RunFailedError         a host failed or could not be reached; `result` tells where and why
    └── RunInterruptedError    ended by ^C or SIGTERM; the hosts keep what is done
"""

from gedge_provision.models.changes import Change, Difference
from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import CpuPlan, InfeasibleError
from gedge_provision.models.errors import DocumentError, GedgeError, NotFittingError, UsageError
from gedge_provision.models.fit import NodeFit, Obstacle, ServiceFit
from gedge_provision.models.gpu_images import ClassAnswer, ImageCheck, ImageReport
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.mesh import LoadedMesh
from gedge_provision.models.perf import PerfRecord, PerfResults, PerfSettings
from gedge_provision.models.plan import Consent, HostPlan, Plan
from gedge_provision.models.pod_alignment import ContainerHolding, NodePods, Remark
from gedge_provision.models.pod_resources import NodeLook
from gedge_provision.models.progress import Reporter, SilentReporter
from gedge_provision.models.rollouts import Strategy
from gedge_provision.models.run_records import RunRecord
from gedge_provision.models.runs import RunFailedError, RunInterruptedError, RunResult
from gedge_provision.models.service import Service
from gedge_provision.models.site import Site
from gedge_provision.models.topology import Topology
from gedge_provision.models.verification import Check, Report
from gedge_provision.perf import compare_runs, earlier_runs, measure_network, measured_runs, perf_html, read_run
from gedge_provision.planning.gpu import GpuPlan
from gedge_provision.planning.mesh import DataPlane, render_mesh
from gedge_provision.planning.perf import Compared, Comparison, Figure
from gedge_provision.provisioning import (
    Asked,
    NodeSummary,
    apply,
    apply_plan,
    asked_of,
    check_image,
    check_report,
    fetch_kubeconfig,
    gpu_plan,
    install_timer,
    kubeconfig_path,
    load_plan,
    load_site,
    looks_of,
    plan,
    plan_cpus,
    pods_of,
    read_topology,
    record_drift,
    remove_timer,
    report_html,
    reset,
    resume,
    runs,
    status,
    topology_of,
    topology_svg,
    unfinished,
    verify,
    watch,
)
from gedge_provision.services import (
    Applied,
    Checked,
    HistoryLine,
    MeshApplied,
    MeshStatus,
    ServiceStatus,
    Templates,
    apply_mesh,
    apply_service,
    apply_services,
    check_documents,
    check_meshes,
    connect,
    delete_mesh,
    delete_service,
    fit_service,
    list_meshes,
    list_services,
    load_mesh,
    load_service,
    load_services,
    pause_service,
    promote_service,
    read_diff,
    read_history,
    read_mesh_status,
    read_status,
    restart_service,
    resume_service,
    rollback_service,
    running_service,
    scale_service,
)

__all__ = [
    "Applied",
    "Asked",
    "Change",
    "Check",
    "Checked",
    "ClassAnswer",
    "Compared",
    "Comparison",
    "Consent",
    "ContainerHolding",
    "CpuIntent",
    "CpuPlan",
    "DataPlane",
    "Difference",
    "DocumentError",
    "Figure",
    "GedgeError",
    "GpuPlan",
    "HistoryLine",
    "HostPlan",
    "ImageCheck",
    "ImageReport",
    "InfeasibleError",
    "KubeletSettings",
    "LoadedMesh",
    "MeshApplied",
    "MeshStatus",
    "NodeFit",
    "NodeLook",
    "NodePods",
    "NodeSummary",
    "NotFittingError",
    "Obstacle",
    "PerfRecord",
    "PerfResults",
    "PerfSettings",
    "Plan",
    "Remark",
    "Report",
    "Reporter",
    "RunFailedError",
    "RunInterruptedError",
    "RunRecord",
    "RunResult",
    "Service",
    "ServiceFit",
    "ServiceStatus",
    "SilentReporter",
    "Site",
    "Strategy",
    "Templates",
    "Topology",
    "UsageError",
    "apply",
    "apply_mesh",
    "apply_plan",
    "apply_service",
    "apply_services",
    "asked_of",
    "check_documents",
    "check_image",
    "check_meshes",
    "check_report",
    "compare_runs",
    "connect",
    "delete_mesh",
    "delete_service",
    "earlier_runs",
    "fetch_kubeconfig",
    "fit_service",
    "gpu_plan",
    "install_timer",
    "kubeconfig_path",
    "list_meshes",
    "list_services",
    "load_mesh",
    "load_plan",
    "load_service",
    "load_services",
    "load_site",
    "looks_of",
    "measure_network",
    "measured_runs",
    "pause_service",
    "perf_html",
    "plan",
    "plan_cpus",
    "pods_of",
    "promote_service",
    "read_diff",
    "read_history",
    "read_mesh_status",
    "read_run",
    "read_status",
    "read_topology",
    "record_drift",
    "remove_timer",
    "render_mesh",
    "report_html",
    "reset",
    "restart_service",
    "resume",
    "resume_service",
    "rollback_service",
    "running_service",
    "runs",
    "scale_service",
    "status",
    "topology_of",
    "topology_svg",
    "unfinished",
    "verify",
    "watch",
]
