"""Plans of runs, and drift: what an apply would change now, found by the very modules that would change it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pydantic

from gedge_provision.adapters.kube import connect
from gedge_provision.adapters.run_records import read_timings
from gedge_provision.adapters.site_records import read_record
from gedge_provision.models.changes import REACHABLE, Change, Difference
from gedge_provision.models.cluster import POD, POD_DISRUPTION_BUDGET
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.plan import ConsentFlag, Plan
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.runs import RunFailedError, RunResult
from gedge_provision.models.site import Site
from gedge_provision.planning.kubelet_checks import refused_hosts
from gedge_provision.planning.offline import recorded_changes
from gedge_provision.planning.plans import disturbed_nodes, make_plan, moved
from gedge_provision.planning.pods import disturbed_pods, drain_obstacles
from gedge_provision.planning.selection import select
from gedge_provision.provisioning.inventories import recorded_inventory, site_inventory
from gedge_provision.provisioning.runs import apply, look
from gedge_provision.provisioning.sites import kubeconfig_path, load_site, site_folder

__all__ = ["apply_plan", "load_plan", "plan"]


def plan(site_path: Path, reporter: Reporter = SILENT, *, only: str | None = None, offline: bool = False) -> Plan:
    """Find out what an apply would do; nothing is changed.

    Args:
        site_path: the site file.
        reporter: receives each phase.
        only: node names and concerns, separated by commas.
        offline: ask no host and no cluster, and take what is remembered of them: what somebody changed by hand since
            the last run is not seen.

    Raises:
        DocumentError: the site file is wrong.
        UsageError: (offline) no whole run of this site is remembered on this machine, or hosts cannot have what is
            asked for.
        RunFailedError: no host can be reached, or one cannot become a node.
    """
    if offline:
        site = load_site(site_path)
        digest = hashlib.sha256(site_path.read_bytes()).hexdigest()
        timings = read_timings(site_folder(site) / "runs")
        changes = _recorded(site, site_path, only)
        return make_plan(site, digest, changes, only=only, source="record", timings=timings)
    return _live_plan(site_path, reporter, only, "gedge plan")


def _live_plan(site_path: Path, reporter: Reporter, only: str | None, command: str) -> Plan:
    site = load_site(site_path)
    digest = hashlib.sha256(site_path.read_bytes()).hexdigest()
    timings = read_timings(site_folder(site) / "runs")
    found, unreachable = _look(site_path, reporter, only, command)
    disturbed = disturbed_nodes(site, found.changes)
    pods, obstacles, unanswered = _pods(site, disturbed)
    return make_plan(
        site,
        digest,
        found.changes,
        differences=[*found.differences, *unreachable],
        pods=pods,
        obstacles=obstacles,
        unanswered=unanswered,
        only=only,
        timings=timings,
    )


def load_plan(path: Path) -> Plan:
    """Read a saved plan.

    Raises:
        UsageError: the file is none.
    """
    try:
        return Plan.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the plan cannot be read: {error.strerror}", place=str(path)) from error
    except (pydantic.ValidationError, UnicodeDecodeError) as error:
        raise UsageError(
            "this is no saved plan of this version", place=str(path), remedy="make one: gedge plan --out FILE"
        ) from error


def apply_plan(site_path: Path, wanted: Plan, reporter: Reporter = SILENT) -> RunResult:
    """Do what a saved plan says, if it is still what an apply would do; its disruptive steps are agreed to.

    Raises:
        UsageError: the world has moved on since it was made; nothing was changed.
        RunFailedError: a host failed.
    """
    now = _live_plan(site_path, reporter, wanted.only, "gedge apply")
    if differences := moved(wanted, now):
        raise UsageError(
            "the world has moved on since this plan was made:\n" + "\n".join(f"  {line}" for line in differences),
            place=f"site {wanted.site}",
            remedy="make it again and read it: gedge plan",
        )
    consents = dict.fromkeys(consent.flag for consent in wanted.consents)
    return apply(site_path, reporter, only=wanted.only, consents=tuple(consents))


def _look(site_path: Path, reporter: Reporter, only: str | None, command: str) -> tuple[RunResult, list[Difference]]:
    """Look at the hosts; those of the site that cannot be reached are told as differences, if others can."""
    try:
        found = look(site_path, reporter, only, command)
    except RunFailedError as error:
        found = error.result
        if not found.facts or not all(failure.unreachable for failure in found.failures):
            raise
    names = {node.name for node in load_site(site_path).nodes}
    return found, [
        Difference(failure.host, REACHABLE, f"{failure.host}: {failure.message}")
        for failure in found.failures
        if failure.host in names
    ]


def _recorded(site: Site, site_path: Path, only: str | None) -> Mapping[str, Sequence[Change]]:
    record = read_record(site_folder(site))
    if record.site is None:
        raise UsageError(
            f"the site file is valid; no whole run of site {site.name} is remembered on this machine",
            place="--offline",
            remedy="leave it out, or apply the site once without --only",
        )
    refused = refused_hosts(site, record.hosts)
    if refused:
        lines = [f"{host}: {problem}" for host, problems in refused.items() for problem in problems]
        raise UsageError("hosts cannot have what the site file asks for, as they were last:\n" + "\n".join(lines))
    now = site_inventory(site_path, installing=True)
    return recorded_changes(record, site, recorded_inventory(record), now, select(site, only))


def _pods(
    site: Site, disturbed: Mapping[str, Sequence[ConsentFlag]]
) -> tuple[dict[str, list[str]], dict[str, list[str]], str]:
    """Return by node the pods that disruptive steps move or may disturb and what would stop them; why it is unknown."""
    kubeconfig = kubeconfig_path(site)
    if not disturbed:
        return {}, {}, ""
    if not kubeconfig.is_file():
        return {}, {}, "there is no kubeconfig of this site here -> gedge kubeconfig --fetch"
    try:
        with connect(kubeconfig) as kube:
            pods = kube.find(POD)
            obstacles = drain_obstacles(pods, kube.find(POD_DISRUPTION_BUDGET), disturbed)
            return disturbed_pods(pods, disturbed), obstacles, ""
    except GedgeError as error:
        return {}, {}, str(error)
