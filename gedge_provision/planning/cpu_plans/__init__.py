"""From a host's topology and what its class asks for to the plan of its CPUs, memory and interrupts. Pure."""

from gedge_provision.planning.cpu_plans.boxes import device_name, place_boxes
from gedge_provision.planning.cpu_plans.layout import lay_out, summary
from gedge_provision.planning.cpu_plans.lists import check_arguments
from gedge_provision.planning.cpu_plans.solver import solve

__all__ = ["check_arguments", "device_name", "lay_out", "place_boxes", "solve", "summary"]
