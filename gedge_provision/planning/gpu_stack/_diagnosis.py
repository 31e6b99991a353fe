"""Which part of the GPU operator is not well, on which node, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gedge_provision.planning.gpu_stack._causes import (
    CRASHES,
    NO_POD,
    WAITS,
    Cause,
    cause_of_event,
    cause_of_log,
    image_cause,
    taint_cause,
)
from gedge_provision.planning.gpu_stack._look import (
    Look,
    Object,
    blocking_taint,
    expected_nodes,
    name_of,
    node_of,
    owner_of,
    selects,
)

__all__ = ["Finding", "Logs", "diagnose", "suspects", "told"]

_PULLS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_ENDS = ("CrashLoopBackOff", "Error", "RunContainerError", "CreateContainerError")
_RESOURCES = "nvidia.com/"
_LINES = 2
_MOST_TOLD = 3  # with their lines, a message that `gedge apply` shows whole (planning/failures.py)
Logs = Mapping[tuple[str, str], str]
"""Last lines of containers, by pod and container."""


@dataclass(frozen=True)
class Finding:
    """What is not well.

    Attributes:
        part: DaemonSet (or another owner of pods); empty for what is the node's.
        node: its node; empty where it is the cluster's.
        cause: why, with what to do.
        lines: last lines of the log.
    """

    part: str
    node: str
    cause: Cause
    lines: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Which part on which node."""
        return " on ".join(word for word in (self.part, self.node) if word) or "the cluster"

    def __str__(self) -> str:
        return f"{self.place}: {self.cause.text} -> {self.cause.remedy}"


def suspects(look: Look) -> tuple[tuple[str, str, bool], ...]:
    """Return the containers whose last lines are wanted: pod, container, and whether those of its former run."""
    found = []
    for pod in look.pods:
        for status in _statuses(pod):
            ended = _ended(status)
            # A container that waits for another part says so in its log while it runs.
            waits = bool(status.get("state", {}).get("running")) and not status.get("ready") and _is_init(pod, status)
            if ended or waits:
                again = bool(status.get("restartCount")) and not status.get("state", {}).get("terminated")
                found.append((name_of(pod), str(status["name"]), bool(ended and again)))
    return tuple(found)


def diagnose(look: Look, nodes: Sequence[str], logs: Logs, *, resources: bool = True) -> tuple[Finding, ...]:
    """Return what keeps the stack from being validated, what others wait for first; empty when all is well.

    Args:
        look: what the cluster shows.
        nodes: nodes of the site whose GPUs are the operator's, as far as their hosts have some.
        logs: last lines of the containers that `suspects` names.
        resources: whether nodes must offer GPUs as resources (not by claims).
    """
    expected = expected_nodes(look, nodes)
    found = [
        *_absent(look, expected),
        *(finding for pod in look.pods for finding in _pod(look, pod, logs)),
        *_old(look),
    ]
    if not look.daemon_sets:
        found.append(_cluster("the operator has made none of its parts", "look at the operator's own pod"))
    for policy in look.policies:
        state = policy.get("status", {}).get("state")
        if str(state).lower() != "ready":
            text = f"{policy['kind']} {name_of(policy)} is {state or 'not looked at yet'}"
            found.append(_cluster(text, "mend what stands before it; else look at the log of the operator"))
    for node in expected if resources else ():
        allocatable = node["status"].get("allocatable", {})
        if not any(key.startswith(_RESOURCES) and str(count) != "0" for key, count in allocatable.items()):
            text = "the node offers no GPU: no resource nvidia.com/... in what it can give to pods"
            found.append(Finding("", name_of(node), Cause("no-resource", text, WAITS.remedy, rank=3)))
    return tuple(sorted(found, key=lambda one: (one.cause.rank, one.part, one.node)))


def told(findings: Sequence[Finding]) -> str:
    """Return findings as a message: the first few, with their last lines."""
    lines: list[str] = []
    for finding in findings[:_MOST_TOLD]:
        lines += [str(finding), *(f"    | {line}" for line in finding.lines)]
    more = findings[_MOST_TOLD:]
    if more:
        lines.append(f"and then: {', '.join(dict.fromkeys(one.place for one in more))}")
    return "\n".join(lines)


def _cluster(text: str, remedy: str) -> Finding:
    return Finding("", "", Cause("policy", text, remedy, rank=3))


def _absent(look: Look, expected: Sequence[Object]) -> Iterator[Finding]:
    """Yield what DaemonSets do not have on the nodes that they are for.

    Kubernetes does not count a node whose taint they do not tolerate: to itself such a DaemonSet is complete.
    """
    for one in look.daemon_sets:
        there = {node_of(pod) for pod in look.pods if owner_of(pod) == name_of(one)}
        for node in expected:
            if not selects(one, node) or name_of(node) in there:
                continue
            taint = blocking_taint(one, node)
            if taint is not None:
                value = f"={taint['value']}" if taint.get("value") else ""
                yield Finding(name_of(one), name_of(node), taint_cause(f"{taint['key']}{value}:{taint['effect']}"))
                continue
            said = [str(event["message"]) for event in look.events if _is_about(event, one)]
            causes = [cause for cause in map(cause_of_event, reversed(said)) if cause]
            yield Finding(name_of(one), name_of(node), causes[0] if causes else NO_POD)


def _pod(look: Look, pod: Object, logs: Logs) -> Iterator[Finding]:
    """Yield why a pod is not well."""
    if pod["status"].get("phase") == "Succeeded" or pod["metadata"].get("deletionTimestamp") or _is_ready(pod):
        return
    place = owner_of(pod), node_of(pod)
    for status in _statuses(pod):
        waiting = status.get("state", {}).get("waiting") or {}
        lines = _last_lines(logs.get((name_of(pod), str(status["name"])), ""))
        if waiting.get("reason") in _PULLS:
            yield Finding(*place, image_cause(str(status.get("image", "")), _reason(look, pod, waiting)))
            return
        if _ended(status):
            yield Finding(*place, cause_of_log("\n".join(lines)) or _crash(status), lines[-_LINES:])
            return
        if status.get("state", {}).get("running") and not status.get("ready") and _is_init(pod, status):
            yield Finding(*place, cause_of_log("\n".join(lines)) or WAITS, lines[-_LINES:])
            return
    said = [str(event["message"]) for event in look.events if _is_about(event, pod)]
    said += [str(one["message"]) for one in pod["status"].get("conditions", []) if one.get("message")]
    causes = [cause for cause in map(cause_of_event, reversed(said)) if cause]
    yield Finding(*place, causes[0] if causes else WAITS, tuple(said[-1:]))


def _old(look: Look) -> Iterator[Finding]:
    """Yield DaemonSets whose controller has not taken notice of a change."""
    for one in look.daemon_sets:
        if one.get("status", {}).get("observedGeneration", 0) < one["metadata"].get("generation", 0):
            yield Finding(name_of(one), "", Cause("change", "its change is not rolled out yet", "wait", rank=2))


def _crash(status: Object) -> Cause:
    state = status.get("lastState", {}).get("terminated") or status.get("state", {}).get("terminated") or {}
    code = f" (exit code {state['exitCode']})" if "exitCode" in state else ""
    text = f"its container {status['name']} ends again and again{code}"
    return Cause(CRASHES.name, text, CRASHES.remedy, CRASHES.rank)


def _ended(status: Object) -> bool:
    state = status.get("state", {})
    bad_end = bool(state.get("terminated")) and state["terminated"].get("exitCode") != 0
    return bad_end or (state.get("waiting") or {}).get("reason") in _ENDS


def _is_init(pod: Object, status: Object) -> bool:
    return any(one["name"] == status["name"] for one in pod["spec"].get("initContainers", []))


def _is_ready(pod: Object) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))


def _statuses(pod: Object) -> list[Object]:
    status = pod["status"]
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def _is_about(event: Object, item: Object) -> bool:
    about = event.get("involvedObject", {})
    return bool(about.get("kind") == item["kind"] and about.get("name") == name_of(item))


def _reason(look: Look, pod: Object, waiting: Object) -> str:
    """Return what the registry said: back-off tells nothing, the event of the try before does."""
    said = [str(event["message"]) for event in look.events if _is_about(event, pod) and event.get("reason") == "Failed"]
    text = next((one for one in reversed(said) if "Error: " not in one[:8]), str(waiting.get("message", "")))
    return text.rsplit(": ", 1)[-1][:160]


def _last_lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())
