"""Work that goes on after its answer: how much of it there may be."""

from __future__ import annotations

from threading import Event

import pytest

from gedge_provision.gse._metrics import Metrics
from gedge_provision.gse._problems import ProblemError
from gedge_provision.gse._work import Work
from gedge_provision.models.progress import Reporter


def test_nobody_takes_all_the_room_and_it_comes_back() -> None:
    work, ends = Work(3, 2, Metrics()), Event()

    def wait(_: Reporter) -> bool:
        return ends.wait(30)

    def begin(caller: str) -> bool | None:
        return work.begin(wait, caller, 0, at_once=True)

    assert [begin("one"), begin("one")] == [None, None]
    with pytest.raises(ProblemError, match="2 rollouts of this caller") as mine:
        begin("one")
    assert begin("two") is None
    with pytest.raises(ProblemError, match="3 rollouts are under way") as all_of_them:
        begin("three")
    assert (mine.value.kind.status, all_of_them.value.kind.status) == (429, 503)
    ends.set()
    while work._under_way:
        Event().wait(0.01)
    assert work.begin(lambda _: True, "one", 10) is True
