"""Can an image run on the GPUs of a class of nodes? Read by a pod, judged before a rollout. Pure."""

from gedge_provision.planning.gpu_images._answers import answer_classes, chosen_classes
from gedge_provision.planning.gpu_images._choice import Place, check_name, choose_gpu, choose_place, possible_nodes
from gedge_provision.planning.gpu_images._objects import (
    CONTAINER,
    POD_NAME,
    SPACE,
    pod,
)
from gedge_provision.planning.gpu_images._report import read_report
from gedge_provision.planning.gpu_images._trouble import report_trouble

__all__ = [
    "CONTAINER",
    "POD_NAME",
    "SPACE",
    "Place",
    "answer_classes",
    "check_name",
    "choose_gpu",
    "choose_place",
    "chosen_classes",
    "pod",
    "possible_nodes",
    "read_report",
    "report_trouble",
]
