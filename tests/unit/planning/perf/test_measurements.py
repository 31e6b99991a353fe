"""What is run in which order, what the tools print (recorded in the lab), and what comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gedge_provision.models.attachments import Attachment
from gedge_provision.models.errors import UsageError
from gedge_provision.models.perf import Measure, PerfResults, PerfSettings
from gedge_provision.models.site import Site
from gedge_provision.planning.perf import (
    MeasureError,
    NetPath,
    Pair,
    answers,
    check_command,
    command,
    comparable_runs,
    compare,
    emulation,
    expected_seconds,
    figures,
    node_facts,
    parse,
    path_labels,
    rdma_check_command,
    read_facts,
    schedule,
    spelled,
    starts,
    steps,
    table_rows,
)

FIXTURES = Path(__file__).parents[3] / "fixtures" / "perf"
RUN = PerfResults.model_validate_json((FIXTURES / "results.json").read_text(encoding="utf-8"))
PAIRS = tuple(Pair(number, NetPath(name, name), "unpinned") for number, name in enumerate(("host", "flannel", "net")))


def printed(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


def test_lost_datagrams_are_what_was_sent_and_did_not_come() -> None:
    """On a slow node, iperf3's own figure was 118 %: 7658 of 6467 packets, with those of the warm-up."""
    slow = {"sum_sent": {"bytes": 9364216}, "sum_received": {"bytes": 2289288, "bits_per_second": 1, "jitter_ms": 1}}
    assert parse("udp", json.dumps({"end": slow}))["lost_percent"] == pytest.approx(75.55, rel=0.001)


@pytest.mark.parametrize(
    ("measure", "name", "expected"),
    [
        ("tcp", "iperf3-tcp.json", {"mbit_s": 9333.1, "retransmits": 718}),
        ("tcp-parallel", "iperf3-tcp-parallel.json", {"mbit_s": 9838.5, "retransmits": 1160}),
        ("udp", "iperf3-udp.json", {"mbit_s": 99.5, "lost_percent": 0.48, "jitter_us": 28.4}),
    ],
)
def test_figures_of_iperf3_are_those_of_the_receiver(measure: Measure, name: str, expected: dict[str, float]) -> None:
    found = parse(measure, printed(name))
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("name", ["sockperf-ping-pong.txt", "sockperf-under-load.txt"])
def test_percentiles_of_sockperf_rise(name: str) -> None:
    text = printed(name)
    found = parse("ping-pong", text)
    rising = [found[key] for key in ("min_us", "p50_us", "p90_us", "p99_us", "p99.9_us", "max_us")]
    assert rising == sorted(rising)
    assert f"percentile 50.000 ={found['p50_us']:9.3f}" in text
    assert f"<MAX> observation ={found['max_us']:9.3f}" in text
    assert found["messages"] > 1000
    assert found["dropped"] == 0


@pytest.mark.parametrize(
    ("measure", "output", "reason"),
    [
        ("tcp", printed("iperf3-refused.json"), "iperf3: unable to connect to server: Connection refused"),
        ("tcp", "", "printed no JSON: nothing"),
        ("tcp", "Killed\n", "printed no JSON: Killed"),
        ("udp", '{"end": {}}', "before it had figures"),
        ("ping-pong", printed("sockperf-silent.txt"), "sockperf: no message came back"),
        ("ping-pong", "", "sockperf: nothing"),
        ("rdma-send-latency", printed("ib_send_lat-refused.txt"), "ib_send_lat: Unable to init the socket connection"),
        ("rdma-write", "", "ib_write_bw: nothing"),
        ("under-load", "sockperf: ERROR: address in use\n", "sockperf: ERROR: address in use"),
    ],
)
def test_no_figures_are_no_measurement(measure: Measure, output: str, reason: str) -> None:
    with pytest.raises(MeasureError) as caught:
        parse(measure, output)
    assert reason in str(caught.value)


def test_every_command_ends_by_itself_and_goes_to_its_own_port() -> None:
    settings = PerfSettings(seconds=5, streams=7, udp_mbits=33, load_messages=500, message_bytes=128, sizes=(1024,))
    lines = {
        (step.measure, step.size): " ".join(command(step, settings, PAIRS[1], "192.0.2.9")) for step in steps(settings)
    }
    assert all(line.startswith("timeout -s KILL 26 ") for line in lines.values())
    assert "--parallel 7" in lines["tcp-parallel", None]
    assert "--udp --bitrate 33M" in lines["udp", None]
    assert lines["ping-pong", None].endswith("ping-pong --ip 192.0.2.9 --port 25204 --time 5 --msg-size 128")
    assert "--msg-size 128 --mps 500" in lines["under-load", None]
    assert "--msg-size 1024" in lines["size-latency", 1024]
    assert "--bitrate 0 --length 1024" in lines["size-throughput", 1024]
    assert "--port 25203 " in lines["tcp", None]
    assert "--omit 1" in lines["tcp", None]
    assert check_command(PAIRS[1], "192.0.2.9")[:4] == ("timeout", "-s", "KILL", "10")


def test_paths_take_turns_and_every_round_begins_with_another() -> None:
    settings = PerfSettings(rounds=3)
    tasks = list(schedule([PAIRS], settings))
    assert len(tasks) == 3 * 3 * 5
    firsts = [next(task.pair.number for task in tasks if task.round == number) for number in (1, 2, 3)]
    assert firsts == [0, 1, 2]
    for start in range(0, len(tasks), 3):
        group = tasks[start : start + 3]
        assert {task.pair.number for task in group} == {0, 1, 2}
        assert len({(task.round, task.step) for task in group}) == 1


def test_figures_of_perftest() -> None:
    found = parse("rdma-send-latency", printed("ib_send_lat.txt"))
    assert found == {
        "min_us": 982.19,
        "max_us": 409020.79,
        "p50_us": 5849.62,
        "avg_us": 17151.28,
        "p99_us": 236258.49,
        "p99.9_us": 409020.79,
        "messages": 200,
    }
    assert parse("rdma-write", printed("ib_write_bw.txt")) == {"mbit_s": pytest.approx(5.242), "messages": 30}


def test_rping_answers_three_times() -> None:
    assert answers(printed("rping.txt")) == ""
    assert "rping: ping data: rdma-ping-1" in answers("".join(printed("rping.txt").splitlines(keepends=True)[2:4]))
    assert answers("") == "rping: nothing"


def test_rdma_is_measured_where_pods_have_it() -> None:
    soft = Attachment.model_validate({"name": "soft", "type": "macvlan", "master": "eth0", "rdma": "soft"})
    pair = Pair(2, NetPath("soft", "macvlan", soft, rdma=True), "unpinned")
    settings = PerfSettings(rounds=1, seconds=4, message_bytes=128)
    found = [task for task in schedule([[PAIRS[0], pair]], settings) if task.step.measure.startswith("rdma")]
    assert [task.pair.number for task in found] == [2, 2, 2]
    assert [task.step.measure for task in found] == ["rdma-write", "rdma-write-latency", "rdma-send-latency"]
    lines = [" ".join(command(task.step, settings, pair, "192.0.2.9")) for task in found]
    assert lines[0].endswith("ib_write_bw -R -F -p 25609 --report_gbits -s 65536 -D 4 192.0.2.9")
    assert lines[2].endswith("ib_send_lat -R -F -p 25611 -s 128 -n 1000 192.0.2.9")
    assert " ".join(rdma_check_command(pair, "192.0.2.9")).endswith("rping -c -v -C 3 -a 192.0.2.9 -p 25612")


def test_parts_alternate_within_each_round() -> None:
    tasks = schedule([PAIRS[:1], PAIRS[1:]], PerfSettings(rounds=2))
    order = list(dict.fromkeys((task.round, task.batch) for task in tasks))
    assert order == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_parts_and_emulated_nodes_take_longer() -> None:
    settings = PerfSettings(seconds=2, rounds=2)
    together = expected_seconds([PAIRS], settings, emulated=False)
    assert together > 2 * 3 * 5 * 2
    assert expected_seconds([PAIRS[:1], PAIRS[1:]], settings, emulated=False) > together
    assert expected_seconds([PAIRS], settings, emulated=True) > together


def test_of_emulated_nodes_every_pair_and_every_measurement_counts() -> None:
    """Twelve pods took 276 s to start on two emulated nodes, and 32 measurements of a second 255 s."""
    settings = PerfSettings(seconds=1, rounds=1)
    one, two = (expected_seconds([PAIRS[:count]], settings, emulated=True) for count in (1, 2))
    assert two > 1.9 * one
    assert [starts(parts, PerfSettings(rounds=3)) for parts in ([PAIRS], [PAIRS[:1], PAIRS[1:]])] == [1, 6]


def with_values(run: PerfResults, factor: float, **update: Any) -> PerfResults:
    """Return a run of two rounds whose values are a multiple of another's, give and take 1 %."""
    samples = tuple(
        sample.model_copy(
            update={
                "round": number,
                "values": {key: value * factor * spread for key, value in sample.values.items()},
            }
        )
        for number, spread in ((1, 0.99), (2, 1.01))
        for sample in run.samples
    )
    return run.model_copy(update={"samples": samples, **update})


def test_figures_are_medians_with_their_spread() -> None:
    run = with_values(RUN, 1.0)
    plain = {(one.path, one.measure, one.size, one.metric): one.median for one in figures(RUN)}
    for figure in figures(run):
        value = plain[figure.path, figure.measure, figure.size, figure.metric]
        assert (figure.median, figure.low, figure.high) == pytest.approx((value, value * 0.99, value * 1.01))
        assert figure.rounds == 2


def test_the_table_has_a_row_for_each_figure_and_a_column_for_each_path() -> None:
    rows = table_rows(RUN)
    assert path_labels(RUN) == ["host", "flannel"]
    assert all(len(row.cells) == 2 and all(row.cells) for row in rows)
    assert len({(row.title, row.metric) for row in rows}) == len(rows)
    titles = {row.title for row in rows}
    assert {"TCP, 4 streams", "latency, 64 B", "sweep, 64 B: latency", "sweep, 65507 B: UDP"} <= titles


@pytest.mark.parametrize(
    ("values", "expected"),
    [([9222.4, 9046.1], ["9222", "9046"]), ([7.31, 7.2], ["7.3", "7.2"]), ([0.0, 3.0], ["0", "3"])],
)
def test_figures_are_spelled_alike(values: list[float], expected: list[str]) -> None:
    assert spelled(values) == expected


def test_a_comparison_calls_better_what_is_apart() -> None:
    before = with_values(RUN, 1.0)
    rows = compare(before, with_values(RUN, 2.0)).rows
    verdicts = {row.metric: row.verdict for row in rows if row.first.median}
    assert verdicts["mbit_s"] == "better"
    assert verdicts["p99_us"] == "worse"
    assert all(row.change == pytest.approx(100) for row in rows if row.first.median)
    assert {row.verdict for row in compare(before, with_values(RUN, 1.015)).rows} == {"alike"}
    assert {row.verdict for row in compare(RUN, before).rows} == {""}


def test_emulated_and_real_are_never_compared() -> None:
    real = RUN.model_copy(update={"emulated": False, "emulation": ""})
    for pair in ((RUN, real), (real, RUN)):
        with pytest.raises(UsageError, match="they cannot be compared"):
            compare(*pair)
    assert real.mark == ""
    assert RUN.mark.startswith("EMULATED: a lab on one machine")


def test_runs_without_a_common_figure_are_not_compared() -> None:
    other = RUN.model_copy(update={"samples": tuple(one for one in RUN.samples if one.path == "host")})
    rest = RUN.model_copy(update={"samples": tuple(one for one in RUN.samples if one.path == "flannel")})
    with pytest.raises(UsageError, match="no figure in common"):
        compare(other, rest)


def test_a_comparison_names_other_conditions() -> None:
    node = RUN.nodes[0].model_copy(update={"kernel": "7.3"})
    settings = RUN.settings.model_copy(update={"seconds": 9})
    other = RUN.model_copy(update={"nodes": (node, *RUN.nodes[1:]), "settings": settings})
    told = compare(RUN, other).conditions
    assert told == ("seconds: 1, then 9", f"kernel of {node.name}: {RUN.nodes[0].kernel}, then 7.3")


def test_beside_a_run_stand_earlier_ones_of_its_kind() -> None:
    day = RUN.began.replace(day=RUN.began.day - 1)
    before = RUN.model_copy(update={"id": "before", "began": day})
    real = before.model_copy(update={"id": "real", "emulated": False})
    elsewhere = before.model_copy(update={"id": "elsewhere", "server": "other"})
    assert [run.id for run in comparable_runs(RUN, (RUN, real, elsewhere, before))] == ["before"]


def test_emulated_is_a_label_or_a_lab() -> None:
    nodes = [{"name": "w1", "address": "192.0.2.2", "roles": ["control_plane", "worker"]}]
    real = Site.model_validate({"name": "edge", "nodes": nodes})
    lab = Site.model_validate({"name": "edge", "nodes": nodes, "lab": {"subnet": "192.0.2.0/24"}})

    def facts(**labels: str) -> Any:
        node = {"metadata": {"name": "w1", "labels": labels}, "status": {}}
        return node_facts(node, {"cpuManagerPolicy": "static", "reservedSystemCPUs": "", "kubeReserved": {"cpu": "1"}})

    plain, guest = facts(), facts(**{"gedge.dev/emulated-hardware": "true"})
    assert plain.kubelet_settings == {"cpuManagerPolicy": "static", "kubeReserved": "cpu=1"}
    assert emulation(real, [plain]) == ""
    assert emulation(real, [plain, guest]) == "emulated hardware (w1)"
    assert emulation(lab, [guest]) == "emulated hardware (w1), a lab on one machine"


def test_what_a_pod_tells_of_itself() -> None:
    assert read_facts("Intel(R) Xeon(R) Processor\n2-3\n1450\n") == ("Intel(R) Xeon(R) Processor", "2-3", 1450)
    assert read_facts("") == ("", "", 0)
