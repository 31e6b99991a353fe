"""Measurements of the network between nodes, kept and compared."""

from gedge_provision.perf._page import perf_html
from gedge_provision.perf._records import compare_runs, earlier_runs, measured_runs, read_run
from gedge_provision.perf._run import measure_network

__all__ = ["compare_runs", "earlier_runs", "measure_network", "measured_runs", "perf_html", "read_run"]
