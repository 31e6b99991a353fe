"""Measurements of the network: what to measure, on which pods, in which order; and what came out. Pure."""

from gedge_provision.planning.perf._batches import free_resources, make_batches, make_pairs
from gedge_provision.planning.perf._compare import Compared, Comparison, comparable_runs, compare
from gedge_provision.planning.perf._facts import FACTS_SCRIPT, emulation, node_facts, read_facts
from gedge_provision.planning.perf._figures import (
    METRICS,
    Figure,
    Metric,
    figures,
    measure_title,
    path_labels,
    shown,
)
from gedge_provision.planning.perf._paths import Ends, NetPath, choose_ends, find_paths, parse_addresses
from gedge_provision.planning.perf._pods import (
    BY,
    CONTAINER,
    NAMESPACE,
    UNTIL,
    PodNetwork,
    Side,
    batch_objects,
    namespace,
    pod_name,
    secondary,
)
from gedge_provision.planning.perf._steps import (
    Pair,
    Step,
    Task,
    check_command,
    command,
    expected_seconds,
    schedule,
    steps,
)
from gedge_provision.planning.perf._tools import MeasureError, parse

__all__ = [
    "BY",
    "CONTAINER",
    "FACTS_SCRIPT",
    "METRICS",
    "NAMESPACE",
    "UNTIL",
    "Compared",
    "Comparison",
    "Ends",
    "Figure",
    "MeasureError",
    "Metric",
    "NetPath",
    "Pair",
    "PodNetwork",
    "Side",
    "Step",
    "Task",
    "batch_objects",
    "check_command",
    "choose_ends",
    "command",
    "comparable_runs",
    "compare",
    "emulation",
    "expected_seconds",
    "figures",
    "find_paths",
    "free_resources",
    "make_batches",
    "make_pairs",
    "measure_title",
    "namespace",
    "node_facts",
    "parse",
    "parse_addresses",
    "path_labels",
    "pod_name",
    "read_facts",
    "schedule",
    "secondary",
    "shown",
    "steps",
]
