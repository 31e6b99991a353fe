"""The page of a run, and runs in their folders."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from gedge_provision.adapters.perf_files import new_perf_run, read_perf_runs, read_results, write_raw, write_results
from gedge_provision.models.errors import UsageError
from gedge_provision.models.perf import PerfResults, Problem
from gedge_provision.perf import perf_html

FIXTURE = Path(__file__).parents[2] / "fixtures" / "perf" / "results.json"
RUN = read_results(FIXTURE)


def titles(page: str) -> list[str]:
    return re.findall(r"<figcaption><h2>(.*?)</h2>", page)


def test_the_page_needs_nothing_else_and_is_marked() -> None:
    page = perf_html(RUN)
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"(?!#)|url\((?!#)|@import", page)
    assert set(re.findall(r"https?://[^\"' )<]+", page)) == {"http://www.w3.org/2000/svg"}
    assert RUN.mark in page
    assert len(page) < 300_000
    assert page == perf_html(RUN)


def test_there_is_a_chart_for_all_that_was_measured() -> None:
    assert titles(perf_html(RUN)) == [
        "Throughput",
        "Latency, 64 B",
        "Latency at 10000 messages/s",
        "Latency by message size",
        "UDP throughput by message size",
    ]
    only = RUN.model_copy(update={"samples": tuple(one for one in RUN.samples if one.measure == "tcp")})
    assert titles(perf_html(only)) == ["Throughput"]


def earlier(**update: object) -> PerfResults:
    return RUN.model_copy(update={"id": "before", "began": RUN.began - timedelta(days=1), **update})


def test_earlier_runs_have_charts_and_real_ones_stay_out_of_emulated_pages() -> None:
    assert titles(perf_html(RUN, [earlier()]))[-2:] == ["TCP over the runs", "Latency over the runs"]
    assert "Latency over the runs" not in titles(perf_html(RUN, [earlier(emulated=False)]))


def test_what_a_cluster_says_is_text() -> None:
    problem = Problem(path="net", what="no pods", message="<b>no</b>", remedy="mend <it>")
    page = perf_html(RUN.model_copy(update={"problems": (problem,), "emulated": False}))
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert "mend &lt;it&gt;" in page
    assert "EMULATED" not in page


def test_runs_are_kept_and_read_again(tmp_path: Path) -> None:
    first = new_perf_run(tmp_path)
    assert write_raw(first, "host-tcp-1.json", "{}") == "raw/host-tcp-1.json"
    write_results(first, RUN)
    (tmp_path / "holder.json").write_text("{}", encoding="utf-8")
    killed = tmp_path / "29990101T000000.000"
    killed.mkdir()
    found = read_perf_runs(tmp_path)
    assert [record.id for record in found] == [killed.name, first.name]
    assert [record.results for record in found] == [None, RUN]
    assert (first / "results.json").stat().st_mode & 0o77 == 0
    assert read_perf_runs(tmp_path / "none") == ()


OTHER_VERSION = FIXTURE.read_text(encoding="utf-8").replace('"version": 1', '"version": 9')


@pytest.mark.parametrize("text", ["", "{}", "[]", OTHER_VERSION])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="no results of gedge perf"):
        read_results(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_results(tmp_path / "missing.json")
