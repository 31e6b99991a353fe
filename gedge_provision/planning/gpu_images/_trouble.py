"""Why a look into an image does not come to its end."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gedge_provision.models.cluster import ContainerStatus, Event, Manifest, PodState
from gedge_provision.planning.readiness import Trouble, pod_trouble

__all__ = ["report_trouble"]

_BY_HAND = "write down what it has, and ask with that: gedge gpu check --from FILE (docs/gpu.md)"
_STARTS = (
    (
        r"executable file not found|no such file or directory",
        "the image has no shell, so nothing can be read from it",
        _BY_HAND,
    ),
    (r"exec format error", "the image is for another kind of processor", "take its build for amd64"),
    (r"permission denied", "the image keeps its shell from users other than root", _BY_HAND),
    (
        r"unsatisfied condition",
        "NVIDIA's container runtime refuses it by the image's NVIDIA_REQUIRE_CUDA",
        "take an image with an older CUDA, or give the nodes a later driver",
    ),
)
"""What runc and NVIDIA's runtime say when a container does not start, what it means and what to do."""


def report_trouble(found: Manifest | None, events: Sequence[Event], *, late: bool) -> Trouble | None:
    """Return why the pod tells nothing, when waiting longer will not help or the time is over.

    Args:
        found: the pod; None where it is not there.
        events: warnings about pods of its namespace.
        late: whether the time is over.
    """
    if found is None:
        return Trouble("its pod is gone", "somebody deleted it: try again")
    state = PodState.model_validate(found)
    for container in state.status.container_statuses:
        trouble = _start_trouble(container)
        if trouble is not None:
            return trouble
    if state.status.phase == "Failed":
        return _ended(state)
    if not late:
        return None
    known = pod_trouble(state, events)
    return known or Trouble(
        f"its pod is {state.status.phase.lower()} when the time is over",
        "a large image takes its time to come to the node: give it more with --timeout",
    )


def _start_trouble(container: ContainerStatus) -> Trouble | None:
    waiting, terminated = container.state.waiting, container.state.terminated
    if waiting and waiting.reason in ("ImagePullBackOff", "InvalidImageName", "ImageInspectError"):
        return Trouble(
            f"the node does not get the image: {waiting.message or waiting.reason}",
            "check its name, and that nodes reach its registry or have the image",
        )
    told = terminated.message if terminated and terminated.reason in ("StartError", "ContainerCannotRun") else ""
    if waiting and waiting.reason in ("RunContainerError", "CreateContainerError", "CreateContainerConfigError"):
        told = waiting.message
    if not told:
        return None
    for pattern, meaning, remedy in _STARTS:
        if re.search(pattern, told):
            return Trouble(meaning, remedy)
    return Trouble(f"its container does not start: {told}", "mend what the message names")


def _ended(state: PodState) -> Trouble:
    if state.status.reason:
        return Trouble(
            f"the kubelet ended its pod: {state.status.reason}: {state.status.message}".rstrip(": "),
            "give it more time with --timeout, or another node with --node",
        )
    codes = [one.state.terminated for one in state.status.container_statuses if one.state.terminated]
    why = f"{codes[0].reason} ({codes[0].exit_code})" if codes else "without a reason"
    return Trouble(f"its pod ended with {why}", "try again on another node with --node")
