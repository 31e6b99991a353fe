"""What a run costs for each host, and that it grows in a straight line: plans of 4, 8, 16 and 32 hosts.

Run by `make bench`. The hosts are bare container nodes of one lab, so a plan goes through every play and every module
over SSH and changes nothing: what it takes is the run's own overhead. Nodes and controller share the machine's cores;
the controller's part is given as CPU seconds too. Sizes come in rising and falling order by turns.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from bench.labs import GEDGE, lab, run

LAB = "bench-overhead"
SIZES = (4, 8, 16, 32)


@dataclass(frozen=True)
class Cost:
    """What one plan cost.

    Attributes:
        hosts: number of hosts.
        wall_s: seconds until it had ended.
        cpu_s: CPU seconds of all of the controller's processes.
        memory_mib: of the largest process so far.
    """

    hosts: int
    wall_s: float
    cpu_s: float
    memory_mib: float


@dataclass(frozen=True)
class Line:
    """A least squares line through costs by numbers of hosts; `r2` is 1 where all lie on it."""

    start: float
    a_host: float
    r2: float


def main() -> None:
    """Measure, print a table, and write the figures as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--rounds", type=int, default=2, help="plans of each size; the median counts")
    options = parser.parse_args()
    costs = measure(options.rounds)
    lines = {name: line(costs, name) for name in ("wall_s", "cpu_s")}
    table = Table("hosts", "seconds", "s a host", "CPU s", "CPU s a host", "largest process", title="gedge plan")
    for cost in costs:
        shares = (cost.wall_s, cost.wall_s / cost.hosts, cost.cpu_s, cost.cpu_s / cost.hosts)
        table.add_row(str(cost.hosts), *(f"{share:.2f}" for share in shares), f"{cost.memory_mib:.0f} MiB")
    Console().print(table)
    for name, what in (("wall_s", "seconds"), ("cpu_s", "CPU seconds of the controller")):
        found = lines[name]
        print(f"{what}: {found.start:.2f} + {found.a_host:.2f} a host, R2 {found.r2:.4f}")
    if options.json:
        figures = {
            "costs": [asdict(cost) for cost in costs],
            "lines": {name: asdict(found) for name, found in lines.items()},
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(rounds: int) -> list[Cost]:
    """Make the lab, plan each size a few times, and return the medians."""
    with lab(LAB, workers=max(SIZES) - 1) as site, tempfile.TemporaryDirectory() as folder:
        described = yaml.safe_load(site.read_text(encoding="utf-8"))
        plan(described, max(SIZES), Path(folder))  # connections are open now, caches warm
        found = [
            plan(described, size, Path(folder))
            for number in range(rounds)
            for size in (SIZES if number % 2 == 0 else reversed(SIZES))
        ]
    return [median([cost for cost in found if cost.hosts == size]) for size in SIZES]


def plan(described: dict[str, Any], size: int, folder: Path) -> Cost:
    """Plan the site with its first hosts only."""
    path = folder / f"{size}.yml"
    path.write_text(yaml.safe_dump(described | {"nodes": described["nodes"][:size]}), encoding="utf-8")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    found = json.loads(run([GEDGE, "plan", "--site", str(path), "--output", "json"]))
    wall_s = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if len(found["hosts"]) != size:
        raise SystemExit(f"the plan of {size} bare hosts names {len(found['hosts'])}")
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Cost(size, wall_s, cpu_s, after.ru_maxrss / 1024)


def median(costs: list[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(
        costs[0].hosts,
        statistics.median(cost.wall_s for cost in costs),
        statistics.median(cost.cpu_s for cost in costs),
        statistics.median(cost.memory_mib for cost in costs),
    )


def line(costs: list[Cost], name: str) -> Line:
    """Lay a line through a figure of the costs."""
    hosts = [float(cost.hosts) for cost in costs]
    figures = [getattr(cost, name) for cost in costs]
    slope, intercept = statistics.linear_regression(hosts, figures)
    return Line(intercept, slope, statistics.correlation(hosts, figures) ** 2)


if __name__ == "__main__":
    main()
