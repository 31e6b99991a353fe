"""What a run of a playbook did."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gedge_provision.models.changes import Change, Difference
from gedge_provision.models.errors import GedgeError

__all__ = [
    "HostFailure",
    "PhaseTiming",
    "RunFailedError",
    "RunInterruptedError",
    "RunResult",
    "Server",
    "phase_name",
    "play_of",
]


_BATCH = ", batch "
_LOOKING = frozenset({"Reach hosts", "Check hosts"})
"""Plays that change nothing."""


def phase_name(play: str, batch: int) -> str:
    """Return the name of a phase: its play, and from the second on which batch of hosts it is."""
    return f"{play}{_BATCH}{batch}" if batch > 1 else play


def play_of(phase: str) -> str:
    """Return the play of a phase."""
    return phase.partition(_BATCH)[0]


@dataclass(frozen=True)
class PhaseTiming:
    """A play of the run.

    Attributes:
        name: its name, with the batch of hosts from the second one on.
        seconds: how long it took.
        tasks: seconds by the name of the task.
        changed: number of hosts on which it changed something.
    """

    name: str
    seconds: float
    tasks: dict[str, float]
    changed: int = 0


@dataclass(frozen=True)
class HostFailure:
    """Where and why a run failed."""

    host: str
    phase: str
    task: str
    message: str
    unreachable: bool = False


@dataclass(frozen=True)
class Server:
    """A server of ours in the cluster.

    Attributes:
        server: its name, for people.
        urls: where it is reached.
        fingerprint: SHA-256 of the certificate that it shows there, as browsers write it.
        not_after: until when that is valid, as ISO 8601.
    """

    server: str
    urls: tuple[str, ...]
    fingerprint: str
    not_after: str

    def __str__(self) -> str:
        return (
            f"{self.server}: {', '.join(self.urls)}\n"
            f"  certificate SHA-256 {self.fingerprint}, until {self.not_after.partition('T')[0]}"
        )


@dataclass(frozen=True)
class RunResult:
    """The outcome of a run.

    Attributes:
        status: successful, failed, canceled or timeout, as ansible-runner says.
        seconds: wall time.
        phases: in their order.
        changed: number of changed things by host.
        changes: what was (in check mode, would be) changed, by host, in its order.
        differences: what of the running nodes is not as the site file asks (of check mode; else a run fails by it).
        failures: what failed where; hosts that could not be reached are among them.
        facts: what each host told of itself.
        folder: the run's record: log and timings.
        networks: what each host told of cards and secondary networks, when it was asked (playbook look).
        topologies: what each host told of CPUs, memory and devices, when it was asked (playbook topology).
        pods: what each host's kubelet told of CPUs, memory and devices of pods, when it was asked (playbook pods).
        servers: the servers of ours whose certificates were seen to.
    """

    status: str
    seconds: float
    phases: tuple[PhaseTiming, ...]
    changed: dict[str, int]
    changes: dict[str, tuple[Change, ...]]
    differences: tuple[Difference, ...]
    failures: tuple[HostFailure, ...]
    facts: dict[str, dict[str, Any]]
    folder: Path
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    topologies: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    servers: tuple[Server, ...] = ()

    @property
    def parked(self) -> tuple[str, ...]:
        """Hosts that could not be reached; the run went on without them."""
        return tuple(sorted({failure.host for failure in self.failures if failure.unreachable}))

    @property
    def refused(self) -> bool:
        """Whether a host refused what is asked before any was changed."""
        phases = {failure.phase for failure in self.failures}
        answered = any(not failure.unreachable for failure in self.failures)
        return answered and phases <= _LOOKING and not self.changes

    @property
    def log(self) -> Path:
        """The whole output of the run."""
        return self.folder / "output.log"


class RunFailedError(GedgeError):
    """A run of a playbook failed; the message shows each host's failure once."""

    def __init__(self, result: RunResult, *, resumable: bool = True) -> None:
        self.result = result
        remedy = f"the whole log: {result.log}"
        if result.parked and all(failure.unreachable for failure in result.failures):
            remedy = f"when they answer again: {'gedge resume' if resumable else 'the same command'}; {remedy}"
        super().__init__(_explain(result), remedy=remedy)


class RunInterruptedError(GedgeError):
    """A run was ended by ^C or SIGTERM; the hosts keep what was done."""

    exit_code = 130

    def __init__(self, verb: str) -> None:
        super().__init__(
            "interrupted; the hosts keep what is done",
            remedy="go on: gedge resume" if verb in ("apply", "reset") else f"run gedge {verb} again",
        )


def _explain(result: RunResult) -> str:
    if not result.failures:
        return f"the run ended as {result.status}"
    lines = []
    if all(failure.unreachable for failure in result.failures):
        lines.append("some hosts were left out, since they cannot be reached; what could be done without them is done")
    grouped: dict[tuple[str, str], list[str]] = {}
    for failure in result.failures:
        grouped.setdefault((f"{failure.phase} / {failure.task}", failure.message), []).append(failure.host)
    for (place, message), hosts in grouped.items():
        lines.append(f"{', '.join(sorted(set(hosts)))}: {place}")
        for part in message.split("; "):
            text, arrow, remedy = part.partition(" -> ")
            lines.append(f"    {text}")
            if arrow:
                lines.append(f"    -> {remedy}")
    return "\n".join([*lines, *(["no host was changed"] if result.refused else [])])
