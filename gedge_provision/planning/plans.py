"""From what check mode found to a plan, and from two plans to what lies between them. Pure: no clock, no host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gedge_provision.models.changes import Change, Difference
from gedge_provision.models.plan import Consent, HostPlan, Plan
from gedge_provision.models.site import Site

__all__ = ["make_plan", "markdown", "moved", "restarted_hosts"]

KUBELET_RESTART = Change("unit", "kubelet.service", "restart")


def restarted_hosts(changes: Mapping[str, Sequence[Change]]) -> list[str]:
    """Return the hosts whose kubelet restarts, of which consent is asked."""
    return [host for host, found in changes.items() if KUBELET_RESTART in found]


def make_plan(  # noqa: PLR0913 - what a plan is made of
    site: Site,
    site_sha256: str,
    changes: Mapping[str, Sequence[Change]],
    *,
    differences: Sequence[Difference] = (),
    owners: Mapping[str, Sequence[str]] | None = None,
    limit: str | None = None,
) -> Plan:
    """Put what was found into a plan; the same input gives the same plan, byte for byte.

    Args:
        site: the site.
        site_sha256: digest of the file that it was read from.
        changes: what a run would change, by host.
        differences: what of the running nodes is not as asked.
        owners: pods that own CPUs, as namespace/name, by node.
        limit: the nodes that it is limited to.
    """
    order = [node.name for node in site.nodes if changes.get(node.name)]
    restarted = restarted_hosts(changes)
    return Plan(
        site=site.name,
        site_sha256=site_sha256,
        limit=limit,
        hosts=tuple(HostPlan(host=name, changes=tuple(changes[name])) for name in order),
        consents=tuple(
            Consent(
                host=name,
                flag="kubelet-restart-ok",
                reason="its kubelet restarts, and pods that own CPUs may move to others",
                pods=tuple(sorted((owners or {}).get(name, ()))),
            )
            for name in order
            if name in restarted
        ),
        differences=tuple(sorted(found for found in differences if not _mended(found, changes, restarted))),
    )


def _mended(found: Difference, changes: Mapping[str, Sequence[Change]], restarted: Sequence[str]) -> bool:
    """Tell whether a run puts a difference right: a kubelet restarts, labels are set, a node joins or is mended."""
    happens = {(change.kind, change.name) for host in changes for change in changes[host]}
    mends = {
        "kubelet": found.node in restarted,
        "label": ("Node", found.node) in happens,
        "ready": ("node", found.node) in happens or bool(changes.get(found.node)),
        "api": any(kind == "node" for kind, _ in happens),
    }
    return mends.get(found.concern, False)


def moved(plan: Plan, now: Plan) -> list[str]:
    """Return what has changed in the world since a plan was made, a line each; empty means that it still holds."""
    if plan.site != now.site:
        return [f"the plan is for site {plan.site}, this is {now.site}"]
    lines = [] if plan.site_sha256 == now.site_sha256 else ["the site file is not the one that was planned with"]
    before = [(host.host, change) for host in plan.hosts for change in host.changes]
    after = [(host.host, change) for host in now.hosts for change in host.changes]
    planned, needed = set(before), set(after)
    lines += [f"{host}: no longer needed: {change}" for host, change in before if (host, change) not in needed]
    lines += [f"{host}: not in the plan: {change}" for host, change in after if (host, change) not in planned]
    return lines


def markdown(plan: Plan) -> str:
    """Return a plan as Markdown, for a review."""
    lines = [f"# Plan for site {plan.site}", ""]
    lines += [f"Site file SHA-256 `{plan.site_sha256[:16]}`, {_scope(plan)}, {plan.size} changes.", ""]
    if not plan.hosts:
        lines += ["Nothing would change.", ""]
    for consent in plan.consents:
        pods = f" Pods: {', '.join(consent.pods)}." if consent.pods else ""
        lines += [f"> **{consent.host} needs consent** (`--{consent.flag}`): {consent.reason}.{pods}", ""]
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
    return f"limited to {plan.limit}" if plan.limit else "all hosts"
