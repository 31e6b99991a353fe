"""From a host's topology and what its class asks for to the plan of its CPUs, memory and interrupts. Pure."""

from gedge_provision.planning.cpu_plans.arguments import check_arguments
from gedge_provision.planning.cpu_plans.boxes import device_name, place_boxes
from gedge_provision.planning.cpu_plans.layout import lay_out, summary
from gedge_provision.planning.cpu_plans.solver import solve
from gedge_provision.planning.cpu_plans.written import broken_rules, written_problems

__all__ = [
    "broken_rules",
    "check_arguments",
    "device_name",
    "lay_out",
    "place_boxes",
    "solve",
    "summary",
    "written_problems",
]
