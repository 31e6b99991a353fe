"""Write the table of checks in docs/verify.md from the promises: python docs/verify_table.py."""

from __future__ import annotations

from pathlib import Path

from gedge_provision.planning.verification import CLUSTER_PROMISES, NODE_PROMISES

PAGE = Path(__file__).with_name("verify.md")
BEGIN, END = "<!-- checks: begin -->", "<!-- checks: end -->"


def table() -> str:
    """Return the table in Markdown, in the order of a report."""
    lines = ["| check | of | concern | promise |", "|---|---|---|---|"]
    for of, promises in (("the cluster", CLUSTER_PROMISES), ("each node", NODE_PROMISES)):
        for promise in promises:
            whose = "each control-plane node" if promise.concern == "control plane" else of
            lines.append(f"| `{promise.id}` | {whose} | {promise.concern} | {promise.meaning} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """Return the page's text with the current table."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
