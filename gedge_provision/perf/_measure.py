"""The measurements themselves: in their order, each bounded, each kept as it comes."""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from gedge_provision.adapters.kube import Kube, KubeError
from gedge_provision.adapters.perf_files import write_raw
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.perf import PathFacts, PerfSettings, Problem, Sample
from gedge_provision.models.progress import Reporter, step
from gedge_provision.models.wording import counted
from gedge_provision.perf._pods import Started, Wanted, start, stop
from gedge_provision.planning import perf as planning
from gedge_provision.planning.perf import CONTAINER, NAMESPACE, Pair, Task

__all__ = ["Found", "Work", "measure_all"]

_TRIES = 2
_FAILURES = 2
_PAUSE_S = 1.0
_SPARE_S = 10.0
_KILLED = 137
_PATH_REMEDY = "the path may lose packets, or its MTU may not hold from end to end; try it alone: --network"
_POD_REMEDY = "its pod or node may not be well (gedge status); try it alone: --network"


@dataclass
class Found:
    """What has been found so far; it outlives an interrupt."""

    samples: list[Sample] = field(default_factory=list)
    paths: dict[int, PathFacts] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Work:
    """A run at work: where, how, and what it found; what is found goes in as it comes."""

    kube: Kube
    settings: PerfSettings
    wanted: Wanted
    folder: Path
    reporter: Reporter
    found: Found = field(default_factory=Found)
    failures: Counter[int] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    @property
    def late(self) -> bool:
        """Whether the time that it may take is over."""
        return time.monotonic() > self.began + self.wanted.limit_s


def measure_all(work: Work, batches: Sequence[Sequence[Pair]]) -> None:
    """Measure all pairs in all rounds, as far as the time lets it.

    Raises:
        GedgeError: nothing could be measured.
    """
    found, settings = work.found, work.settings
    tasks = list(planning.schedule(batches, settings))
    parts = [(key, list(part)) for key, part in groupby(tasks, key=lambda task: (task.round, task.batch))]
    several = len(batches) > 1
    started: Started | None = None
    for place, ((number, index), part) in enumerate(parts):
        batch = [pair for pair in batches[index] if pair.number not in found.broken]
        if not batch:
            continue
        if started is None or several:
            started = _start(work, batch)
        which = f", part {index + 1} of {len(batches)}" if several else ""
        with step(work.reporter, name := f"Round {number} of {settings.rounds}{which}"):
            came = _round(work, part, started, name)
        if came < len(part):
            _end_early(work, [*part[came:], *(task for _, later in parts[place + 1 :] for task in later)])
            break
        if several:
            stop(work.kube, batch)
    if not found.samples:
        first = found.problems[0] if found.problems else None
        raise GedgeError(
            f"nothing could be measured: {first.message if first else 'no path is left'}",
            place=first.path if first else "",
            remedy=first.remedy if first else "",
        )


def _start(work: Work, batch: Sequence[Pair]) -> Started:
    with step(work.reporter, f"Start probe pods for {', '.join(pair.label for pair in batch)}"):
        started = start(work.kube, batch, work.wanted)
    found = work.found
    found.paths |= started.facts
    ends = {"client": work.wanted.ends.client.name, "server": work.wanted.ends.server.name}
    found.models |= {ends[side]: model for side, model in started.models.items()}
    found.problems += started.problems
    found.broken |= {pair.number for pair in batch if pair.number not in started.servers}
    for problem in started.problems:
        _tell(work.reporter, problem)
    return started


def _round(work: Work, tasks: Sequence[Task], started: Started, name: str) -> int:
    """Measure a round; return how many of its measurements were come to before the time was over."""
    for count, task in enumerate(tasks):
        if task.pair.number in work.found.broken or (
            task.pair.number in started.without_rdma and task.step.measure in planning.RDMA_MEASURES
        ):
            continue
        if work.late:
            return count
        title = planning.measure_title(task.step.measure, task.step.size, work.settings)
        work.reporter.update(name, f"{count + 1} of {len(tasks)}: {title} over {task.pair.label}")
        _measure(work, task, started.servers[task.pair.number], title)
    return len(tasks)


def _end_early(work: Work, tasks: Sequence[Task]) -> None:
    """Tell of each pair what is not measured any more."""
    missing = Counter(task.pair.number for task in tasks if task.pair.number not in work.found.broken)
    pairs = {task.pair.number: task.pair for task in tasks}
    for number, count in missing.items():
        pair = pairs[number]
        problem = Problem(
            path=pair.path.name,
            pinning=pair.pinning,
            what=f"{counted(count, 'measurement')} left out",
            message=f"the run took longer than the {work.wanted.limit_s} s that it may",
            remedy="the nodes are too busy: try again, or measure less: --network, --rounds, --seconds",
        )
        work.found.problems.append(problem)
        _tell(work.reporter, problem)


def _measure(work: Work, task: Task, server: str, title: str) -> None:
    command = planning.command(task.step, work.settings, task.pair, server)
    client = planning.pod_name(task.pair, "client")
    said, remedy = "", ""
    for _ in range(_TRIES):
        try:
            done = work.kube.execute(NAMESPACE, client, CONTAINER, command, task.step.limit_s + _SPARE_S)
            if done.code == _KILLED:
                raise planning.MeasureError(f"it did not end within the {task.step.limit_s} s that it may take")  # noqa: TRY301
            values = planning.parse(task.step.measure, done.output or done.errors)
        except (planning.MeasureError, KubeError) as error:
            said, remedy = (error.message, _POD_REMEDY) if isinstance(error, KubeError) else (str(error), _PATH_REMEDY)
            _renew_server(work, task)
            time.sleep(_PAUSE_S)
            continue
        _keep(work, task, values, done.output)
        work.failures[task.pair.number] = 0
        return
    pair = task.pair
    problem = Problem(
        path=pair.path.name,
        pinning=pair.pinning,
        what=f"{title}, round {task.round}",
        message=said,
        remedy=remedy,
    )
    work.found.problems.append(problem)
    _tell(work.reporter, problem)
    work.failures[pair.number] += 1
    if work.failures[pair.number] >= _FAILURES:
        work.found.broken.add(pair.number)
        work.reporter.note(f"{pair.label} is left alone from here on")


def _renew_server(work: Work, task: Task) -> None:
    """Let the server of an RDMA measurement begin anew; it may wait for the client that has ended."""
    if task.step.measure in planning.RDMA_MEASURES:
        server = planning.pod_name(task.pair, "server")
        with contextlib.suppress(KubeError):
            work.kube.execute(NAMESPACE, server, CONTAINER, planning.renewal_words(task.step.measure), _SPARE_S)


def _keep(work: Work, task: Task, values: dict[str, float], output: str) -> None:
    size = f"-{task.step.size}" if task.step.size is not None else ""
    slug = re.sub(r"[^a-z0-9]+", "-", task.pair.path.name)
    kind = "json" if output.lstrip().startswith("{") else "txt"
    name = f"{slug}-{task.pair.pinning}-{task.step.measure}{size}-{task.round}.{kind}"
    work.found.samples.append(
        Sample(
            path=task.pair.path.name,
            pinning=task.pair.pinning,
            measure=task.step.measure,
            size=task.step.size,
            round=task.round,
            values=values,
            raw=write_raw(work.folder, name, output),
        )
    )


def _tell(reporter: Reporter, problem: Problem) -> None:
    remedy = f" -> {problem.remedy}" if problem.remedy else ""
    reporter.note(f"{problem.path}: {problem.what}: {problem.message}{remedy}")
