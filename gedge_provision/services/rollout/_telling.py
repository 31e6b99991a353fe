"""What a user sees of rollouts: each step of a few services, and one count of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gedge_provision.models.progress import Outcome as StepOutcome
from gedge_provision.models.progress import Reporter
from gedge_provision.models.wording import counted

__all__ = ["Telling", "says_sent"]

_FEW = 10
_STEPS: dict[str, StepOutcome] = {"ready": "done", "on trial": "done", "rolled back": "done", "paused": "skipped"}

_SENDS, _MANY = "apply ", "roll out "


def says_sent(step: str, *, ended: bool) -> bool:
    """Tell whether a step that begins, or has ended, means that something of a rollout is in the cluster."""
    return step.startswith(_SENDS) if ended else step.startswith(_MANY)


class Telling:
    """Tells a reporter how rollouts go."""

    def __init__(self, reporter: Reporter, total: int) -> None:
        self._reporter = reporter
        self._total = total
        self._few = total <= _FEW
        self._steps: dict[str, str] = {}
        self._details: dict[str, str] = {}
        self._overall = "" if self._few else f"{_MANY}{counted(total, 'service')}"
        self._ended: Counter[str] = Counter()
        if self._overall:
            reporter.start(self._overall)

    def sends(self, name: str) -> None:
        """The first stage of a rollout is sent."""
        self._start(name, f"{_SENDS}{name}")

    def sent(self, name: str, outcome: StepOutcome, changes: str) -> None:
        """The first stage is sent."""
        self._finish(name, outcome, changes)

    def failed(self, name: str) -> None:
        """What is sent was refused, or what runs cannot be looked at."""
        self._finish(name, "failed", "")

    def waits(self, name: str) -> None:
        """A stage is sent, and is waited for."""
        self._start(name, f"wait until {name} is ready")

    def waiting(self, name: str, detail: str, keeps: str) -> None:
        """How far a service is that is waited for, and what keeps it."""
        self._details[name] = detail
        if name in self._steps:
            self._reporter.update(self._steps[name], f"{detail}, {keeps}" if keeps else detail)

    def goes_back(self, name: str, number: int) -> None:
        """A rollout failed, and the revision that ran takes its place again."""
        self._finish(name, "failed", self._details.get(name, ""))
        self._start(name, f"take {name} back to revision {number}")

    def ended(self, name: str, outcome: str, detail: str) -> None:
        """A rollout ended."""
        self._details.pop(name, None)
        self._ended[outcome] += 1
        self._finish(name, _STEPS.get(outcome, "failed"), detail)
        if self._overall and sum(self._ended.values()) == self._total:
            good = self._ended.keys() <= {"ready", "on trial"}
            self._reporter.finish(self._overall, "done" if good else "failed", self._counted())

    def counts(self) -> None:
        """Tell of many how far they are."""
        if self._overall:
            waiting = next(iter(self._details.items()), None)
            example = f"; {waiting[0]}: {waiting[1]}" if waiting else ""
            self._reporter.update(self._overall, f"{self._counted()}{example}")

    def interrupted(self, names: Sequence[str]) -> None:
        """The user ended it."""
        for name in names:
            self._finish(name, "skipped", "")
        if self._overall and sum(self._ended.values()) < self._total:
            self._reporter.finish(self._overall, "skipped", self._counted())
        if names:
            which = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
            again = f"apply again, or gedge service resume {names[0]}, waits on"
            self._reporter.note(f"{which}: what was applied goes on starting -> {again}")

    def _counted(self) -> str:
        told = [f"{self._ended['ready'] + self._ended['on trial']} of {self._total} ready"]
        told += [
            f"{number} {outcome}" for outcome, number in self._ended.items() if outcome not in {"ready", "on trial"}
        ]
        return ", ".join(told)

    def _start(self, name: str, step: str) -> None:
        if self._few:
            self._finish(name, "done", "")
            self._steps[name] = step
            self._reporter.start(step)

    def _finish(self, name: str, outcome: StepOutcome, detail: str) -> None:
        step = self._steps.pop(name, None)
        if step is not None:
            self._reporter.finish(step, outcome, detail)
