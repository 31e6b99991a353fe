"""From a site file, a plan and what a cluster shows to the checks of an acceptance report. Pure: no clock, no host."""

from gedge_provision.planning.verification._groups import Group, grouped
from gedge_provision.planning.verification._looks import host_problems
from gedge_provision.planning.verification._report import CLUSTER_PROMISES, NODE_PROMISES, make_report, runs_on

__all__ = ["CLUSTER_PROMISES", "NODE_PROMISES", "Group", "grouped", "host_problems", "make_report", "runs_on"]
