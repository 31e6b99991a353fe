"""Which hosts and which concerns a run is limited to: `--only gedgew01,kubelet`. Pure."""

from __future__ import annotations

from gedge_provision.models.errors import UsageError
from gedge_provision.models.selection import CONCERNS, Selection
from gedge_provision.models.site import Site

__all__ = ["select"]


def select(site: Site, only: str | None, *, concerns: bool = True) -> Selection:
    """Read node names and concerns, separated by commas; None selects all.

    Args:
        site: the site, whose nodes may be named.
        only: what somebody wrote.
        concerns: whether concerns may be named.

    Raises:
        UsageError: a word is neither, or both.
    """
    if only is None:
        return Selection()
    known = dict(CONCERNS) if concerns else {}
    names = sorted(node.name for node in site.nodes)
    words = list(dict.fromkeys(word.strip() for word in only.split(",")))
    unknown = [word for word in words if word not in names and word not in known]
    if unknown:
        what = "node or concern" if known else "node"
        raise UsageError(
            f"no {what} {', '.join(map(repr, unknown))} in this site",
            place="--only",
            remedy=f"use names of {', '.join(names)}" + (f"; or of {', '.join(known)}" if known else ""),
        )
    both = [word for word in words if word in names and word in known]
    if both:
        raise UsageError(f"{both[0]} is a node and a concern", place="--only", remedy="name the others one by one")
    return Selection(tuple(word for word in words if word in names), tuple(word for word in words if word in known))
