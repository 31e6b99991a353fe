"""The end of a pod: what it owned is free again."""

from __future__ import annotations

from dataclasses import replace

from gedge_provision.planning.admission._machine import Machine, State
from gedge_provision.planning.admission._memory import without_block

__all__ = ["without"]


def without(machine: Machine, state: State, pod: str) -> State:
    """Return what is owned once a pod, told by its UID, has ended."""
    memory = state.memory
    for (owner, _), blocks in state.blocks.items():
        for block in blocks if owner == pod else ():
            memory = without_block(machine, memory, block)
    return replace(
        state,
        memory=memory,
        cpus={key: owned for key, owned in state.cpus.items() if key[0] != pod},
        blocks={key: owned for key, owned in state.blocks.items() if key[0] != pod},
        devices={key: owned for key, owned in state.devices.items() if key[0] != pod},
    )
