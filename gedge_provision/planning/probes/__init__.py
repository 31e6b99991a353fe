"""Probe pods on secondary networks: where they run, how they look, and what they show. Pure."""

from gedge_provision.planning.probes._choice import ProbePlan, ProbePod, choose_probes
from gedge_provision.planning.probes._objects import CONTAINER, NAMESPACE, SPACE_BY, SPACE_UNTIL, namespace, objects
from gedge_provision.planning.probes._results import crossings, ping_command, probe_trouble, read_pod

__all__ = [
    "CONTAINER",
    "NAMESPACE",
    "SPACE_BY",
    "SPACE_UNTIL",
    "ProbePlan",
    "ProbePod",
    "choose_probes",
    "crossings",
    "namespace",
    "objects",
    "ping_command",
    "probe_trouble",
    "read_pod",
]
