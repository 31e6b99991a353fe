"""Probe pods on secondary networks: where they run, how they look, and what they show. Pure."""

from gedge_provision.planning.probes._choice import ProbePlan, ProbePod, choose_probes
from gedge_provision.planning.probes._objects import CONTAINER, SPACE, objects
from gedge_provision.planning.probes._results import crossings, ping_command, probe_trouble, read_pod

__all__ = [
    "CONTAINER",
    "SPACE",
    "ProbePlan",
    "ProbePod",
    "choose_probes",
    "crossings",
    "objects",
    "ping_command",
    "probe_trouble",
    "read_pod",
]
