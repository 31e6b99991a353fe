"""What a site of a thousand hosts costs on this machine before anything goes over SSH, beside one of a hundred.

Run by `make bench`: validating the site file, compiling the inventory, a plan from the record of former runs
(`gedge plan --offline`) after one kubelet setting changed and a node was added, a plan of forty changes a host, and
comparing a saved plan with the world. No host is asked: what would come from hosts is made up here.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.site_records import write_record
from gedge_provision.models.changes import Change
from gedge_provision.models.runs import RunResult
from gedge_provision.models.site import Site
from gedge_provision.models.site_records import SiteRecord
from gedge_provision.planning.inventory import Inventory
from gedge_provision.planning.plans import make_plan, moved
from gedge_provision.planning.site_records import after_apply, applied
from gedge_provision.provisioning import load_site, plan
from gedge_provision.provisioning.inventories import catalog_images, site_inventory
from gedge_provision.provisioning.sites import site_folder

SMALL, LARGE = 100, 1000
CHANGES_A_HOST = 40


def main() -> None:
    """Measure both sizes and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GEDGE_STATE_DIR"] = folder
        measure(SMALL, Path(folder))  # what Python loads once is loaded now
        small, large = (measure(size, Path(folder)) for size in (SMALL, LARGE))
    table = Table("step", f"{SMALL} hosts, s", f"{LARGE} hosts, s", "ratio", title="before anything goes over SSH")
    for step, seconds in large.items():
        table.add_row(step, f"{small[step]:.2f}", f"{seconds:.2f}", f"{seconds / small[step]:.1f}")
    table.add_row("all", f"{sum(small.values()):.2f}", f"{sum(large.values()):.2f}", "")
    Console().print(table)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def measure(size: int, folder: Path) -> dict[str, float]:
    """Return the seconds of each step for a site of this size."""
    path = folder / f"{size}.yml"
    path.write_text(yaml.safe_dump(description(size)), encoding="utf-8")
    seconds: dict[str, float] = {}

    def timed(step: str, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the step returns
        began = time.monotonic()
        result = work()
        seconds[step] = time.monotonic() - began
        return result

    site = timed("validate the site file", lambda: load_site(path))
    inventory = timed("compile the inventory", lambda: site_inventory(path))
    remember(site, inventory)
    path.write_text(yaml.safe_dump(changed(size)), encoding="utf-8")
    timed("plan from the record", lambda: plan(path, offline=True))
    changes = {
        node.name: [Change("file", f"/etc/{number}", "create") for number in range(CHANGES_A_HOST)]
        for node in site.nodes
    }
    made = timed("make a plan", lambda: make_plan(site, "0", changes))
    timed("compare a saved plan", lambda: moved(made, made))
    return seconds


def remember(site: Site, inventory: Inventory) -> None:
    """Write the record that an apply of the site would have left."""
    made = [Change("file", f"/etc/{number}", "create") for number in range(CHANGES_A_HOST)]
    changes = {node.name: tuple(made) for node in site.nodes}
    facts: dict[str, dict[str, Any]] = {node.name: {"cpus": 64} for node in site.nodes}
    result = RunResult("successful", 0.0, (), {}, changes, (), (), facts, Path())
    now = applied(site, inventory, catalog_images(load_catalog()))
    home = site_folder(site)
    home.mkdir(parents=True, exist_ok=True)
    write_record(home, after_apply(SiteRecord(), site, result, hosts=list(changes), applied=now))


def changed(size: int) -> dict[str, Any]:
    """Return the site with another kubelet setting and one more node."""
    site = description(size)
    site["node_classes"] = {"default": {"kubelet": {"max_pods": 50}}}
    site["nodes"].append({"name": "added", "address": "10.99.0.1"})
    return site


def description(size: int) -> dict[str, Any]:
    """Return a site of three control-plane nodes and workers."""
    nodes: list[dict[str, Any]] = [
        {"name": f"m{number}", "address": f"10.1.0.{number + 1}", "roles": ["control_plane"]} for number in range(3)
    ]
    nodes += [
        {"name": f"w{number:04}", "address": f"10.{2 + number // 250}.0.{number % 250 + 1}"}
        for number in range(size - 3)
    ]
    return {
        "name": "large",
        "networks": {"pods": "10.128.0.0/12"},
        "control_plane": {"virtual_ip": "10.1.0.100"},
        "nodes": nodes,
    }


if __name__ == "__main__":
    main()
