"""How long a run takes, from what former runs took. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from gedge_provision.models.changes import Change
from gedge_provision.models.runs import PhaseTiming, play_of

__all__ = ["expected_seconds", "spoken"]

_ALWAYS = (
    "Reach hosts",
    "Check hosts",
    "Prepare hosts",
    "Start the control plane",
    "Join workers",
    "Connect pods",
    "Verify the cluster",
)
_ONE_BY_ONE = ("Join control-plane nodes", "Change nodes that run pods")
"""Phases whose time grows with the number of hosts."""
_LEAVING = ("leave", "forget")
_UNCHANGED_S = 1.2
_CHANGED_S = {
    "Prepare hosts": 6.0,
    "Import images": 6.0,
    "Serve the virtual address": 15.0,
    "Start the control plane": 12.0,
    "Join control-plane nodes": 20.0,
    "Join workers": 8.0,
    "Change nodes that run pods": 12.0,
    "Remove nodes": 20.0,
    "Verify the cluster": 3.0,
}
"""Seconds where no run has been recorded yet, as seen in the lab on two cores (bench/install.py)."""
_ROUNDED_S = 5
_MINUTE_S = 60


def expected_seconds(changes: Mapping[str, Sequence[Change]], runs: Sequence[Sequence[PhaseTiming]]) -> int:
    """Return the seconds that a run with these changes is expected to take, rounded up to five; 0 without changes.

    Args:
        changes: by host.
        runs: phases of former runs that changed hosts.
    """
    due: dict[str, set[str]] = {}
    for host, found in changes.items():
        leaves = any(change.action in _LEAVING for change in found)
        for change in found:
            due.setdefault("Remove nodes" if leaves else _phase(change), set()).add(host)
    if not due:
        return 0
    total = sum(_seconds(phase, len(hosts), runs) for phase, hosts in due.items())
    total += sum(_unchanged(phase, runs) for phase in _ALWAYS if phase not in due)
    return -(-int(total) // _ROUNDED_S) * _ROUNDED_S


def spoken(seconds: int) -> str:
    """Return a duration as people say it."""
    if seconds < _MINUTE_S:
        return f"about {seconds} s"
    return f"about {-(-seconds // _MINUTE_S)} min"


def _phase(change: Change) -> str:
    """Return the phase of playbooks/site.yml in which a change is made, as near as its kind tells."""
    by_action = {"init": "Start the control plane", "join": "Join workers", "uncordon": "Verify the cluster"}
    by_kind = {"image": "Import images"} | dict.fromkeys(("label", "taint", "kubeconfig"), "Verify the cluster")
    if change.kind in ("node", "host"):
        return by_action.get(change.action, "Change nodes that run pods")
    if change.kind in by_kind:
        return by_kind[change.kind]
    if change.kind[:1].isupper():
        return "Start the control plane"
    if (change.kind, change.action) == ("unit", "restart") and change.name == "kubelet.service":
        return "Change nodes that run pods"
    return "Prepare hosts"


def _seconds(phase: str, hosts: int, runs: Sequence[Sequence[PhaseTiming]]) -> float:
    times = hosts if phase in _ONE_BY_ONE else 1
    known = [
        timing.seconds / (timing.changed if phase in _ONE_BY_ONE else 1)
        for timing in _timings(phase, runs)
        if timing.changed
    ]
    return (median(known) if known else _CHANGED_S[phase]) * times


def _unchanged(phase: str, runs: Sequence[Sequence[PhaseTiming]]) -> float:
    known = [timing.seconds for timing in _timings(phase, runs) if not timing.changed]
    return median(known) if known else _UNCHANGED_S


def _timings(phase: str, runs: Sequence[Sequence[PhaseTiming]]) -> Iterator[PhaseTiming]:
    return (timing for run in runs for timing in run if play_of(timing.name) == phase)
