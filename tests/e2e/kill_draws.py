"""Random kills of runs, drawn by a seed: the same seed and number name the same kill wherever they are drawn."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["Kill", "Scenario", "Settings", "Victim", "draws"]

Scenario = Literal["join", "kubelet", "port", "install"]
Victim = Literal["controller", "connection", "client"]

# Short scenarios come more often, so that a hundred kills take an acceptable time.
_SCENARIOS: dict[Scenario, int] = {"join": 4, "kubelet": 3, "port": 2, "install": 1}
# `connection` is the ssh process that holds the connection to a host, `client` one that a task of the run started.
_VICTIMS: dict[Victim, int] = {"controller": 2, "connection": 1, "client": 1}


@dataclass(frozen=True)
class Settings:
    """What the kills change in the site file: CPU kept for Kubernetes on the workers, and flannel's UDP port."""

    cpu: str
    port: int

    def other_cpu(self) -> Settings:
        """Return the settings after a change of the kubelets'."""
        return replace(self, cpu="600m" if self.cpu == "500m" else "500m")

    def other_port(self) -> Settings:
        """Return the settings after a change of flannel's."""
        return replace(self, port=8473 if self.port == 8472 else 8472)


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes:
        seed: of the series.
        number: place in the series, from 1.
        scenario: what the killed run does: join a worker after its reset, change the workers' kubelets, change
            flannel's port, or install everything after a reset.
        victim: whom SIGKILL hits.
        moment: when, as a share of the time that the run takes undisturbed.
        host: to which host the connection goes, and which worker joins; a share of the list of them.
        before: settings that the site has before the run.
        after: settings that the run brings.
    """

    seed: int
    number: int
    scenario: Scenario
    victim: Victim
    moment: float
    host: float
    before: Settings
    after: Settings

    def __str__(self) -> str:
        return f"{self.seed}-{self.number:03}-{self.scenario}-{self.victim}"


def draws(seed: int) -> Iterator[Kill]:
    """Draw the kills of a series, without end."""
    first = random.Random(str(seed))  # noqa: S311 - no secret
    settings = Settings(first.choice(["500m", "600m"]), first.choice([8472, 8473]))
    for number in itertools.count(1):
        dice = random.Random(f"{seed}/{number}")  # noqa: S311 - no secret
        scenario: Scenario = dice.choices(list(_SCENARIOS), list(_SCENARIOS.values()))[0]
        victim: Victim = dice.choices(list(_VICTIMS), list(_VICTIMS.values()))[0]
        moment, host = dice.random(), dice.random()
        after = {"kubelet": settings.other_cpu(), "port": settings.other_port()}.get(scenario, settings)
        yield Kill(seed, number, scenario, victim, moment, host, settings, after)
        settings = after
