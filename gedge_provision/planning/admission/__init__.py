"""Which pods a kubelet admits, by the rules of its topology, CPU, memory and device managers. Pure.

The rules are the kubelet's own, here once more because they are needed before there is a pod; tests hold them against
the kubelet's code (tests/kubelet_rules). Nothing here looks at what the scheduler looks at.
"""

from gedge_provision.planning.admission._admit import Verdict, admit
from gedge_provision.planning.admission._asks import ContainerAsk, PodAsk
from gedge_provision.planning.admission._end import without
from gedge_provision.planning.admission._machine import Block, Machine, MemoryNode, Place, State
from gedge_provision.planning.admission._memory import untouched, with_block
from gedge_provision.planning.admission._node import describe, empty, machine_of
from gedge_provision.planning.admission._refusal import Reason

__all__ = [
    "Block",
    "ContainerAsk",
    "Machine",
    "MemoryNode",
    "Place",
    "PodAsk",
    "Reason",
    "State",
    "Verdict",
    "admit",
    "describe",
    "empty",
    "machine_of",
    "untouched",
    "with_block",
    "without",
]
