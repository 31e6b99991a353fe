"""--only: nodes and concerns, and what is neither."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gedge_provision.models.errors import UsageError
from gedge_provision.models.selection import CONCERNS, Selection
from gedge_provision.models.site import Site
from gedge_provision.planning.selection import select

ROOT = Path(__file__).resolve().parents[3]
SITE = Site.model_validate(
    {
        "name": "edge",
        "nodes": [
            {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"]},
            {"name": "kubelet", "address": "192.0.2.2"},
        ],
    }
)


def test_nothing_selects_all() -> None:
    assert select(SITE, None).everything


def test_nodes_and_concerns_may_stand_together() -> None:
    assert select(SITE, "runtime, m1,host,m1") == Selection(("m1",), ("runtime", "host"))
    assert not select(SITE, "m1").everything


@pytest.mark.parametrize(
    ("only", "concerns", "said"),
    [
        ("w9", True, "no node or concern 'w9' in this site"),
        ("", True, "no node or concern '' in this site"),
        ("runtime", False, "no node 'runtime' in this site"),
        ("kubelet", True, "kubelet is a node and a concern"),
    ],
)
def test_what_is_neither_or_both_is_refused(only: str, concerns: bool, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        select(SITE, only, concerns=concerns)


def test_each_concern_is_a_tag_of_the_playbook_and_each_tag_a_concern() -> None:
    plays = yaml.safe_load((ROOT / "playbooks" / "site.yml").read_text(encoding="utf-8"))
    tags = {
        tag
        for play in plays
        for part in (play, *play.get("roles", []), *play.get("tasks", []))
        for tag in part.get("tags", [])
    }
    assert tags == {*CONCERNS, "always"}
