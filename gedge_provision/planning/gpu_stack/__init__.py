"""Is the GPU operator's stack well on every node, and if not: what, where and why? Pure."""

from gedge_provision.planning.gpu_stack._causes import Cause
from gedge_provision.planning.gpu_stack._chart import explain_chart
from gedge_provision.planning.gpu_stack._diagnosis import Finding, diagnose, suspects, told
from gedge_provision.planning.gpu_stack._look import Look, expected_nodes, read_look
from gedge_provision.planning.gpu_stack._progress import progress

__all__ = [
    "Cause",
    "Finding",
    "Look",
    "diagnose",
    "expected_nodes",
    "explain_chart",
    "progress",
    "read_look",
    "suspects",
    "told",
]
