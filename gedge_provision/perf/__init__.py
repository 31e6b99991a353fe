"""Measurements of the network between nodes, kept and compared."""

from gedge_provision.perf._run import measure_network

__all__ = ["measure_network"]
