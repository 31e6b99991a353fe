"""Metrics of drift, read by Prometheus' own parser."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gedge_provision.models.changes import Change, Difference
from gedge_provision.models.plan import HostPlan, Plan
from gedge_provision.planning.drift_metrics import Earlier, read_earlier, render

FOUND = Plan(
    site="edge",
    site_sha256="d",
    hosts=(
        HostPlan(host="w1", changes=(Change("file", "/etc/secret", "change"), Change("file", "/etc/b", "create"))),
        HostPlan(host="w2", changes=(Change("unit", "kubelet.service", "start"),)),
    ),
    differences=(Difference("w3", "ready", "w3: token=secret"), Difference("w4", "ready", "w4: not ready")),
)


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Return values by name and the values of the labels, in the labels' order."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type == "gauge" for family in families)
    return {
        (sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_look_that_found_something() -> None:
    assert samples(render("edge", FOUND, seconds=4.5, last_success=1700000000.25)) == {
        ("gedge_drift_up", "site=edge"): 1,
        ("gedge_drift_duration_seconds", "site=edge"): 4.5,
        ("gedge_drift_last_success_timestamp_seconds", "site=edge"): 1700000000.25,
        ("gedge_drift_changes", "host=w1", "kind=file", "site=edge"): 2,
        ("gedge_drift_changes", "host=w2", "kind=unit", "site=edge"): 1,
        ("gedge_drift_differences", "concern=ready", "site=edge"): 2,
    }


def test_names_and_messages_of_what_differs_stay_out() -> None:
    assert "secret" not in render("edge", FOUND, seconds=1, last_success=1)


def test_without_drift_the_metrics_are_announced_and_have_no_sample() -> None:
    text = render("edge", Plan(site="edge", site_sha256="d"), seconds=1, last_success=5)
    assert "# TYPE gedge_drift_changes gauge" in text
    assert {name for name, *_ in samples(text)} == {
        "gedge_drift_up",
        "gedge_drift_duration_seconds",
        "gedge_drift_last_success_timestamp_seconds",
    }


def test_a_look_that_failed_says_nothing_of_drift_and_keeps_when_one_last_succeeded() -> None:
    text = render("edge", None, seconds=1, last_success=5)
    assert samples(text)["gedge_drift_up", "site=edge"] == 0
    assert "gedge_drift_changes" not in text
    assert read_earlier(text) == Earlier("edge", 5)
    never = render("edge", None, seconds=1, last_success=None)
    assert "last_success" not in never
    assert read_earlier(never) == Earlier("edge", None)


def test_an_empty_file_is_nobodys() -> None:
    assert read_earlier("\n") is None


@pytest.mark.parametrize(
    "text",
    [
        "node_load1 1\n",
        "gedge_drift_up 1\n",
        'gedge_drift_up{site="a"} 1\nnode_load1{site="a"} 1\n',
        'gedge_drift_up{site="a"} 1\ngedge_drift_up{site="b"} 1\n',
        "my notes\n",
        "# only a comment\n",
    ],
)
def test_other_texts_are_told_from_ours(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_earlier(text)
