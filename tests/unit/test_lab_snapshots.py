from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gedge_provision.models.emulation import Machine
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.lab import NodeKind, NodeState, NodeStatus
from gedge_provision.models.lab_snapshots import DEFAULT_NAME, LabSnapshot, Origin
from gedge_provision.planning.lab_snapshots import (
    SET_CLOCK,
    check_clock,
    check_emulated,
    check_fits,
    check_new,
    check_on,
    check_prepared,
    choose,
    origin,
    recorded,
    snapshots,
    tag,
)

MADE_BY = Origin("11.1.3", "0123456789ab")
MACHINE = Machine("gedge-x.h1", "10.89.7.16", "d1", ("ld.so", "qemu-system-x86_64", "-m", "4096M"), {})
# What QMP's query-version and qemu-img of QEMU 11.1.3 say.
VERSION = {"qemu": {"major": 11, "minor": 1, "micro": 3}, "package": "Debian 1:11.1.3+ds-1~bpo13+1"}
NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,30}[A-Za-z0-9])?", fullmatch=True)


def node(kind: NodeKind = "emulated", state: NodeState = "running") -> NodeStatus:
    return NodeStatus("x", "h1", IPv4Address("10.89.7.16"), state, kind=kind)


def entry(name: str, seconds: int = 1795694404) -> dict[str, Any]:
    return {"id": "1", "name": name, "date-sec": seconds, "date-nsec": 848368000, "vm-state-size": 2**29, "icount": 0}


def some(*names: str) -> list[LabSnapshot]:
    return snapshots({"snapshots": [entry(tag(name, MADE_BY)) for name in names]})


@given(NAMES)
def test_what_is_saved_is_found(name: str) -> None:
    check_new([], name, node())
    (found,) = snapshots({"snapshots": [entry(tag(name, MADE_BY))]})
    assert found == LabSnapshot(name, datetime.fromtimestamp(1795694404, UTC), 2**29, MADE_BY)
    assert recorded(found) == tag(name, MADE_BY)


def test_a_disk_without_snapshots_and_snapshots_of_others() -> None:
    assert snapshots({"filename": "disk.qcow2"}) == []
    assert snapshots({"snapshots": [entry("by-hand"), entry("a@b"), entry("a@11.1.3@xyz")]}) == []
    assert [found.name for found in some("b", "a")] == ["b", "a"]  # as QEMU lists them: oldest first


def test_origin_tells_version_and_machine() -> None:
    found = origin(VERSION, MACHINE)
    assert found.version == "11.1.3"
    assert found == origin(VERSION, replace(MACHINE, made_of="d2"))
    assert found.machine != origin(VERSION, replace(MACHINE, argv=(*MACHINE.argv[:-1], "8192M"))).machine


@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "a@b", "a/b", "ä", "a" * 33])
def test_a_name_that_cannot_be(name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a snapshot") as caught:
        check_new([], name, node())
    assert "letters, digits" in caught.value.remedy


def test_a_name_that_is_taken() -> None:
    check_new(some("a"), "b", node())
    with pytest.raises(UsageError, match="h1: it has a snapshot 'a'") as caught:
        check_new(some("a"), "a", node())
    assert "gedge lab snapshots h1 --delete a --lab x" in caught.value.remedy


def test_the_one_named_or_the_only_one_is_meant() -> None:
    assert choose(some("a", "b"), "b", node()).name == "b"
    assert choose(some("a"), None, node()).name == "a"


@pytest.mark.parametrize(
    ("present", "name", "said", "remedy"),
    [
        ((), None, "it has no snapshot", "gedge lab snapshot h1 --lab x"),
        ((), "a", "it has no snapshot", "gedge lab snapshot h1 --lab x"),
        (("a", "b"), None, "it has several snapshots", "--name: a, b"),
        (("a", "b"), "c", "it has no snapshot 'c'", "those it has: a, b"),
    ],
)
def test_a_snapshot_that_is_not_there(present: tuple[str, ...], name: str | None, said: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=f"emulated node h1: {said}") as caught:
        choose(some(*present), name, node())
    assert remedy in caught.value.remedy


def test_containers_have_none() -> None:
    check_emulated(node())
    with pytest.raises(UsageError, match="node h1: only emulated nodes have snapshots") as caught:
        check_emulated(node("container"))
    assert "lab.emulated" in caught.value.remedy


@pytest.mark.parametrize("state", ["stopped", "broken"])
def test_a_node_that_is_off(state: NodeState) -> None:
    check_on(node())
    with pytest.raises(UsageError, match="it is off") as caught:
        check_on(node(state=state))
    assert caught.value.remedy == "gedge lab start h1 --lab x"


def test_another_emulator_and_another_machine_are_refused() -> None:
    (saved,) = some("a")
    check_fits(saved, MADE_BY, node())
    for now, said in (
        (replace(MADE_BY, version="11.2.0"), "made by QEMU 11.1.3, the node runs on 11.2.0"),
        (replace(MADE_BY, machine="ba9876543210"), "other hardware"),
    ):
        with pytest.raises(UsageError, match=said) as caught:
            check_fits(saved, now, node())
        assert "snapshot a of emulated node h1" in caught.value.place
        assert "gedge lab snapshots h1 --delete a --lab x" in caught.value.remedy


def test_a_store_in_use_and_a_node_that_is_silent() -> None:
    check_prepared("", node())
    with pytest.raises(GedgeError, match=r"in use: umount: /srv/store: target is busy") as caught:
        check_prepared("umount: /srv/store: target is busy.\n/srv/store\n", node())
    assert "gedge apply" in caught.value.remedy
    with pytest.raises(GedgeError, match="does not answer over SSH"):
        check_prepared(None, node())


@pytest.mark.parametrize(
    ("said", "counts"), [("functions 1\n", "1 virtual function,"), ("functions 4+4", "8 virtual f")]
)
def test_virtual_functions_stand_against_it(said: str, counts: str) -> None:
    with pytest.raises(GedgeError, match=f"h1: it has {counts}") as caught:
        check_prepared(said, node())
    assert "before they are made" in caught.value.remedy


@pytest.mark.parametrize("said", ["1000", "1011", "999"])
def test_a_clock_that_is_right(said: str) -> None:
    check_clock(f"{said}\n", 1000.4, 1010.2, node())


@pytest.mark.parametrize("said", [None, "", "bash: /sys/class/rtc/rtc0/since_epoch: no\n", "900\n", "1020\n"])
def test_a_clock_that_is_wrong(said: str | None) -> None:
    with pytest.raises(GedgeError, match="its clock could not be set") as caught:
        check_clock(said, 1000.4, 1010.2, node())
    assert "gedge lab shell h1 --lab x -- date" in caught.value.remedy


@pytest.mark.parametrize(
    ("clock", "sleeps", "told"),
    [
        ("1795694404", "echo 1795694405 > $CLOCK", ["--set=@1795694405", "+%s"]),
        ("1795694404", ":", []),  # it stands
        ("", ":", []),  # there is none
    ],
)
def test_a_node_takes_the_next_second_of_its_hardware_clock(
    clock: str, sleeps: str, told: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "since_epoch"
    if clock:
        path.write_text(f"{clock}\n")
    for name, line in (("sleep", sleeps), ("date", f"echo $* >> {tmp_path}/told")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "told").touch()
    script = SET_CLOCK.replace("/sys/class/rtc/rtc0/since_epoch", "$CLOCK")
    environment = {"PATH": str(tmp_path), "CLOCK": str(path)}
    subprocess.run(["/bin/sh", "-c", script], env=environment, capture_output=True, check=False, timeout=60)
    assert (tmp_path / "told").read_text().splitlines() == told


def test_the_name_that_is_left_out_is_one() -> None:
    check_new([], DEFAULT_NAME, node())
