"""Write the tables of docs/kubelet-rules.md from the cases that the kubelet's own code has judged.

python docs/kubelet_rules_table.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/kubelet_rules")]

from machines import host  # noqa: E402 - the cases are of the tests
from refusal import Refused  # noqa: E402
from refused import GROUPS, STRICTER  # noqa: E402

from gedge_provision.adapters.kubelet_names import load_kubelet_names  # noqa: E402
from gedge_provision.models.kubelet_rules import raw_refusals  # noqa: E402

PAGE = Path(__file__).with_name("kubelet-rules.md")
BEGIN, END = "<!-- rules: begin -->", "<!-- rules: end -->"


def table() -> str:
    """Return the tables in Markdown: what a kubelet says, and what is said before it is asked."""
    lines = []
    for group, rows in GROUPS.items():
        lines += [f"### {group}", "", "| a kubelet says | before that |", "|---|---|"]
        lines += [f"| `{row.kubelet}` | {_cell(_ours(row))} |" for row in rows]
        lines.append("")
    lines += ["### Stricter than the kubelet", "", "It starts with these, and does not do what was meant.", ""]
    for fields, words in STRICTER.values():
        found = raw_refusals(fields, load_kubelet_names(), host(control_plane=True))
        lines.append(f"- {_cell(next(str(one) for one in found if words in str(one)))}")
    return "\n".join(lines)


def page(text: str) -> str:
    """Return the page's text with the current tables."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _ours(row: Refused) -> str:
    found = raw_refusals(row.fields, load_kubelet_names(), host(row.machine))
    return next(str(one) for one in found if row.ours in str(one))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
