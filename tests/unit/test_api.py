"""The public names of the Python API: removing or renaming one is a break, and this list says so."""

from __future__ import annotations

from gedge_provision import api

NAMES = [
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


def test_the_public_names_are_those_that_were_promised() -> None:
    assert api.__all__ == NAMES


def test_every_public_name_is_there_and_documented() -> None:
    for name in NAMES:
        assert getattr(api, name).__doc__, name
