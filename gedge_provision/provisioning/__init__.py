"""Runs of the playbooks on a site, and what the site is now."""

from gedge_provision.provisioning.drift import record_drift
from gedge_provision.provisioning.gpu import gpu_plan
from gedge_provision.provisioning.gpu_images import check_image, check_report
from gedge_provision.provisioning.history import find_run, journal, resume, runs, unfinished
from gedge_provision.provisioning.operators import write_operator_documents
from gedge_provision.provisioning.plans import apply_plan, load_plan, plan
from gedge_provision.provisioning.pods import looks_of, pods_of
from gedge_provision.provisioning.report_page import report_html
from gedge_provision.provisioning.runs import apply, fetch_kubeconfig, reset
from gedge_provision.provisioning.sites import default_site_path, kubeconfig_path, load_site
from gedge_provision.provisioning.status import NodeSummary, status, watch
from gedge_provision.provisioning.timers import install_timer, remove_timer, timer_units
from gedge_provision.provisioning.topology import (
    Asked,
    asked_of,
    plan_cpus,
    read_topology,
    topology_of,
    topology_svg,
)
from gedge_provision.provisioning.verification import verify

__all__ = [
    "Asked",
    "NodeSummary",
    "apply",
    "apply_plan",
    "asked_of",
    "check_image",
    "check_report",
    "default_site_path",
    "fetch_kubeconfig",
    "find_run",
    "gpu_plan",
    "install_timer",
    "journal",
    "kubeconfig_path",
    "load_plan",
    "load_site",
    "looks_of",
    "plan",
    "plan_cpus",
    "pods_of",
    "read_topology",
    "record_drift",
    "remove_timer",
    "report_html",
    "reset",
    "resume",
    "runs",
    "status",
    "timer_units",
    "topology_of",
    "topology_svg",
    "unfinished",
    "verify",
    "watch",
    "write_operator_documents",
]
