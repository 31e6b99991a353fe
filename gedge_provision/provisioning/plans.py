"""Plans of runs, and drift: what an apply would change now, found by the very modules that would change it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pydantic

from gedge_provision.adapters.kube import KubeError, connect
from gedge_provision.models.changes import Change
from gedge_provision.models.cluster import POD
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.plan import Plan
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.runs import RunResult
from gedge_provision.models.site import Site
from gedge_provision.planning.plans import make_plan, moved, restarted_hosts
from gedge_provision.provisioning.runs import apply
from gedge_provision.provisioning.sites import kubeconfig_path, load_site

__all__ = ["apply_plan", "load_plan", "plan"]


def plan(site_path: Path, reporter: Reporter = SILENT, *, limit: str | None = None) -> Plan:
    """Find out what an apply would do; nothing is changed.

    Args:
        site_path: the site file.
        reporter: receives each phase.
        limit: node names, separated by commas.

    Raises:
        DocumentError: the site file is wrong.
        RunFailedError: a host cannot be reached, or cannot become a node.
    """
    site = load_site(site_path)
    digest = hashlib.sha256(site_path.read_bytes()).hexdigest()
    found = apply(site_path, reporter, check=True, limit=limit)
    return make_plan(
        site,
        digest,
        found.changes,
        differences=found.differences,
        owners=_cpu_owners(site, found.changes),
        limit=limit,
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
    now = plan(site_path, reporter, limit=wanted.limit)
    if differences := moved(wanted, now):
        raise UsageError(
            "the world has moved on since this plan was made:\n" + "\n".join(f"  {line}" for line in differences[:12]),
            place=f"site {wanted.site}",
            remedy="make it again and read it: gedge plan",
        )
    return apply(site_path, reporter, limit=wanted.limit, restart_ok=bool(wanted.consents))


def _cpu_owners(site: Site, changes: Mapping[str, Sequence[Change]]) -> dict[str, list[str]]:
    """Return the Guaranteed pods on nodes whose kubelet would restart; none where the cluster does not answer."""
    owners: dict[str, list[str]] = {name: [] for name in restarted_hosts(changes)}
    kubeconfig = kubeconfig_path(site)
    if not owners or not kubeconfig.is_file():
        return owners
    try:
        with connect(kubeconfig) as kube:
            pods = kube.find(POD)
    except (KubeError, GedgeError):
        return owners
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node in owners and pod["status"].get("qosClass") == "Guaranteed":
            owners[node].append(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}")
    return owners
