"""From what check mode found to a plan, and from two plans to what lies between them. Pure: no clock, no host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from gedge_provision.models.changes import Change, Difference
from gedge_provision.models.plan import Consent, ConsentFlag, HostPlan, Plan
from gedge_provision.models.runs import PhaseTiming
from gedge_provision.models.site import Site
from gedge_provision.models.wording import counted
from gedge_provision.planning.durations import expected_seconds, spoken
from gedge_provision.planning.kubelet_changes import UNDER_PODS

__all__ = ["disturbed_nodes", "make_plan", "markdown", "moved"]

KUBELET_RESTART = Change("unit", "kubelet.service", "restart")
_DISTURBED: dict[ConsentFlag, str] = {
    "removal-ok": "it leaves the cluster: its pods move, Kubernetes is taken off the host",
    "drain-ok": "its pods move to other nodes, and what they keep in emptyDir volumes is lost",
    "reboot-ok": "its host reboots, for other kernel arguments",
    "kubelet-restart-ok": "its kubelet restarts",
}
"""Why consent is asked."""
_LOST = (
    "it leaves the cluster: its pods move; its host keeps what is installed on it: it does not answer, or is not ours"
)
_UNDER_PODS = " under its pods: those that do not fit its new settings end, those that own CPUs may get others"
_PODS_STAY = "; pods stay, with the CPUs that they own"
_MOVING: tuple[ConsentFlag, ...] = ("drain-ok", "removal-ok")
_MOVED_SHOWN = 12


def disturbed_nodes(site: Site, changes: Mapping[str, Sequence[Change]]) -> dict[str, tuple[ConsentFlag, ...]]:
    """Return what has to be agreed to, by node, in the order of the site file."""
    names = {node.name for node in site.nodes}
    asked: dict[str, tuple[ConsentFlag, ...]] = {}
    for host in _order(site, changes):
        drained = Change("node", host, "drain") in changes[host]
        restarted = KUBELET_RESTART in changes[host]
        reboots = any((change.kind, change.action) == ("host", "reboot") for change in changes[host])
        if host not in names:
            asked[host] = ("removal-ok",)
        elif drained or restarted or reboots:
            steps: tuple[tuple[ConsentFlag, bool], ...] = (
                ("drain-ok", drained),
                ("reboot-ok", reboots),
                ("kubelet-restart-ok", restarted),
            )
            asked[host] = tuple(flag for flag, happens in steps if happens)
    return asked


def make_plan(  # noqa: PLR0913 - what a plan is made of
    site: Site,
    site_sha256: str,
    changes: Mapping[str, Sequence[Change]],
    *,
    differences: Sequence[Difference] = (),
    pods: Mapping[str, Sequence[str]] | None = None,
    obstacles: Mapping[str, Sequence[str]] | None = None,
    unanswered: str = "",
    only: str | None = None,
    source: Literal["live", "record"] = "live",
    timings: Sequence[Sequence[PhaseTiming]] = (),
) -> Plan:
    """Put what was found into a plan; the same input gives the same plan, byte for byte.

    Args:
        site: the site.
        site_sha256: digest of the file that it was read from.
        changes: what a run would change, by host.
        differences: what of the running nodes is not as asked.
        pods: those that a disruptive step moves or may disturb, as namespace/name, by node.
        obstacles: what would keep pods from being moved, by node.
        unanswered: why they are not known.
        only: the nodes and concerns that it is limited to.
        source: where the changes were found.
        timings: phases of former runs, the newest first.
    """
    order = _order(site, changes)
    restarted = [host for host in order if KUBELET_RESTART in changes[host]]
    return Plan(
        site=site.name,
        site_sha256=site_sha256,
        only=only,
        source=source,
        hosts=tuple(HostPlan(host=name, changes=tuple(changes[name])) for name in order),
        consents=tuple(
            Consent(
                host=host,
                flag=flag,
                reason=_reason(flag, changes[host]),
                # Once is enough: those that move are not there any more when the kubelet restarts.
                pods=tuple(sorted((pods or {}).get(host, ())))
                if flag == flags[0] and _disturbs(flag, changes[host])
                else (),
                obstacles=tuple(sorted((obstacles or {}).get(host, ()))) if flag in _MOVING else (),
            )
            for host, flags in disturbed_nodes(site, changes).items()
            for flag in flags
        ),
        differences=tuple(sorted(found for found in differences if not _mended(found, changes, restarted))),
        unanswered=unanswered,
        expected_s=expected_seconds(changes, timings),
    )


def _disturbs(flag: ConsentFlag, changes: Sequence[Change]) -> bool:
    """Tell whether pods notice: of a restart, what is new under them, or that their kubelet forgets what they own."""
    return flag != "kubelet-restart-ok" or any(
        change.action == "reset" or (change.kind == "setting" and f"({UNDER_PODS}" in change.name) for change in changes
    )


def _reason(flag: ConsentFlag, changes: Sequence[Change]) -> str:
    if flag == "removal-ok" and all(change.action in ("drain", "forget") for change in changes):
        return _LOST
    if flag == "kubelet-restart-ok":
        return f"{_DISTURBED[flag]}{_UNDER_PODS if _disturbs(flag, changes) else _PODS_STAY}"
    return _DISTURBED[flag]


def _order(site: Site, changes: Mapping[str, Sequence[Change]]) -> list[str]:
    names = [node.name for node in site.nodes]
    return [name for name in [*names, *sorted(set(changes) - set(names))] if changes.get(name)]


def _mended(found: Difference, changes: Mapping[str, Sequence[Change]], restarted: Sequence[str]) -> bool:
    """Tell whether a run puts a difference right: a kubelet restarts, labels are set, a node joins or is mended."""
    happens = {(change.kind, change.name) for host in changes for change in changes[host]}
    mends = {
        "kubelet": found.node in restarted,
        "label": any(kind == "label" and name.startswith(f"{found.node} ") for kind, name in happens),
        "ready": any(not change.of_cluster for change in changes.get(found.node, ())),
        "daemon": any(
            change.kind == "DaemonSet" or change.action == "join" for host in changes for change in changes[host]
        ),
        "resource": found.node in restarted
        or any(change.kind == "nic" or change.action == "join" for change in changes.get(found.node, ())),
        "api": any(change.kind == "node" and not change.of_cluster for host in changes for change in changes[host]),
    }
    return mends.get(found.concern, False)


def moved(plan: Plan, now: Plan) -> list[str]:
    """Return what has changed in the world since a plan was made, some lines; empty means that it still holds."""
    if plan.site != now.site:
        return [f"the plan is for site {plan.site}, this is {now.site}"]
    lines = [] if plan.site_sha256 == now.site_sha256 else ["the site file is not the one that was planned with"]
    before = [(host.host, change) for host in plan.hosts for change in host.changes]
    after = [(host.host, change) for host in now.hosts for change in host.changes]
    planned, needed = set(before), set(after)
    lines += [f"{host}: no longer needed: {change}" for host, change in before if (host, change) not in needed]
    lines += [f"{host}: not in the plan: {change}" for host, change in after if (host, change) not in planned]
    hidden = len(lines) - _MOVED_SHOWN
    return [*lines[:_MOVED_SHOWN], f"and {counted(hidden, 'more difference')}"] if hidden > 1 else lines


def markdown(plan: Plan) -> str:
    """Return a plan as Markdown, for a review."""
    lines = [f"# Plan for site {plan.site}", ""]
    expected = f", {spoken(plan.expected_s)}" if plan.hosts else ""
    lines += [
        f"Site file SHA-256 `{plan.site_sha256[:16]}`, {_scope(plan)}, {counted(plan.size, 'change')}{expected}.",
        "",
    ]
    if plan.source == "record":
        lines += ["Made from the record of former runs; no host was looked at.", ""]
    if not plan.hosts:
        lines += ["Nothing would change.", ""]
    for consent in plan.consents:
        pods = f" Pods: {', '.join(consent.pods)}." if consent.pods else ""
        lines += [f"> **{consent.host} needs consent** (`--{consent.flag}`): {consent.reason}.{pods}", ""]
        lines += [f"> It would be stopped: {obstacle}" for obstacle in consent.obstacles]
        lines += [""] if consent.obstacles else []
    if plan.consents and plan.unanswered:
        lines += [f"Which pods that are is not known: {plan.unanswered}.", ""]
    for host in plan.hosts:
        lines += [f"## {host.host}", "", "| action | kind | name |", "|---|---|---|"]
        lines += [f"| {change.action} | {change.kind} | `{change.name}` |" for change in host.changes]
        lines.append("")
    if plan.differences:
        lines += [
            "## Differs, and would not be put right",
            "",
            *(f"- {found.message}" for found in plan.differences),
            "",
        ]
    return "\n".join(lines)


def _scope(plan: Plan) -> str:
    return f"limited to {plan.only}" if plan.only else "all hosts"
