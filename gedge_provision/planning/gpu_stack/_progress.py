"""How far the GPU operator's stack is, in a line for whoever waits. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gedge_provision.planning.gpu_stack._causes import NO_POD, WAITS
from gedge_provision.planning.gpu_stack._diagnosis import Finding
from gedge_provision.planning.gpu_stack._look import Look, Object, expected_nodes, name_of, node_of, owner_of

__all__ = ["progress"]

_DRIVERS = ("nvidia-driver", "nvidia-gpu-driver")  # DaemonSet of a ClusterPolicy, of a NVIDIADriver
_NOTHING, _STARTS, _WORKS = range(3)


def progress(look: Look, nodes: Sequence[str], findings: Sequence[Finding]) -> str:
    """Return how many nodes are validated, and what the next one waits for.

    Args:
        look: what the cluster shows.
        nodes: nodes of the site whose GPUs are the operator's, as `diagnose` got them.
        findings: what `diagnose` says of it, at least one.
    """
    expected = [name_of(node) for node in expected_nodes(look, nodes)]
    due = {finding.node for finding in findings if finding.node}
    validated = sum(name not in due for name in expected)
    # What works or starts is what the others wait for, unless it is known why something does not work.
    first = min(findings, key=lambda one: (_is_early(one), -_stage(look, one), one.cause.rank))
    more = len(due - {first.node})
    rest = f" ({more} more node{'s' * (more > 1)})" if more else ""
    return f"{validated} of {len(expected)} nodes validated, {first.place}: {_doing(look, first)}{rest}"


def _is_early(finding: Finding) -> bool:
    """Tell whether a finding is nothing but that the wait has not ended yet."""
    return finding.cause.rank >= WAITS.rank or finding.cause == NO_POD


def _doing(look: Look, finding: Finding) -> str:
    stage = _stage(look, finding)
    if finding.cause != WAITS or stage == _NOTHING:
        return finding.cause.text
    if stage == _STARTS:
        return "its container is not made yet; the image may still be on its way"
    if finding.part.startswith(_DRIVERS):
        return "the driver is compiled and loaded"
    return "it runs, and is not ready yet"


def _stage(look: Look, finding: Finding) -> int:
    """Tell how far the pod of a finding is: it waits for others, is started, or is at work."""
    if finding.cause != WAITS:
        return _NOTHING
    pods = (pod for pod in look.pods if (owner_of(pod), node_of(pod)) == (finding.part, finding.node))
    return max(map(_stage_of, pods), default=_NOTHING)


def _stage_of(pod: Object) -> int:
    status = pod["status"]
    first = status.get("initContainerStatuses", [])
    if any("running" in one.get("state", {}) for one in first):
        return _NOTHING
    if any("running" in one.get("state", {}) for one in status.get("containerStatuses", [])):
        return _WORKS
    return _STARTS
