"""The Python API: what `gedge` does with sites and services, as functions. What is not named here may change.

Long work tells a `Reporter` what it does; leave it out to hear nothing. Errors are those of the command line:

    GedgeError                 something failed
    ├── UsageError             the input is wrong, nothing was changed
    │   └── DocumentError      a site file or service document does not validate; has every finding with file:line
    ├── NotFittingError        the request is valid, and no node can hold it
    ├── RunFailedError         a host failed or could not be reached; `result` tells where and why
    └── RunInterruptedError    ended by ^C or SIGTERM; the hosts keep what is done
"""

from gedge_provision.models.changes import Change, Difference
from gedge_provision.models.errors import DocumentError, GedgeError, NotFittingError, UsageError
from gedge_provision.models.perf import PerfRecord, PerfResults, PerfSettings
from gedge_provision.models.plan import Consent, HostPlan, Plan
from gedge_provision.models.progress import Reporter, SilentReporter
from gedge_provision.models.run_records import RunRecord
from gedge_provision.models.runs import RunFailedError, RunInterruptedError, RunResult
from gedge_provision.models.service import Service
from gedge_provision.models.site import Site
from gedge_provision.models.verification import Check, Report
from gedge_provision.perf import compare_runs, earlier_runs, measure_network, measured_runs, perf_html, read_run
from gedge_provision.planning.perf import Compared, Comparison, Figure
from gedge_provision.provisioning import (
    NodeSummary,
    apply,
    apply_plan,
    fetch_kubeconfig,
    install_timer,
    kubeconfig_path,
    load_plan,
    load_site,
    plan,
    record_drift,
    remove_timer,
    report_html,
    reset,
    resume,
    runs,
    status,
    unfinished,
    verify,
    watch,
)
from gedge_provision.services import (
    Applied,
    ServiceStatus,
    apply_service,
    connect,
    delete_service,
    list_services,
    load_service,
    read_status,
)

__all__ = [
    "Applied",
    "Change",
    "Check",
    "Compared",
    "Comparison",
    "Consent",
    "Difference",
    "DocumentError",
    "Figure",
    "GedgeError",
    "HostPlan",
    "NodeSummary",
    "NotFittingError",
    "PerfRecord",
    "PerfResults",
    "PerfSettings",
    "Plan",
    "Report",
    "Reporter",
    "RunFailedError",
    "RunInterruptedError",
    "RunRecord",
    "RunResult",
    "Service",
    "ServiceStatus",
    "SilentReporter",
    "Site",
    "UsageError",
    "apply",
    "apply_plan",
    "apply_service",
    "compare_runs",
    "connect",
    "delete_service",
    "earlier_runs",
    "fetch_kubeconfig",
    "install_timer",
    "kubeconfig_path",
    "list_services",
    "load_plan",
    "load_service",
    "load_site",
    "measure_network",
    "measured_runs",
    "perf_html",
    "plan",
    "read_run",
    "read_status",
    "record_drift",
    "remove_timer",
    "report_html",
    "reset",
    "resume",
    "runs",
    "status",
    "unfinished",
    "verify",
    "watch",
]
