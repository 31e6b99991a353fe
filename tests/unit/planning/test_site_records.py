"""The record of a site: which hosts are known, what was made on them, and who leaves."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from gedge_provision.adapters.site_records import read_record, write_record
from gedge_provision.models.changes import Change
from gedge_provision.models.runs import HostFailure, RunResult
from gedge_provision.models.site import Site
from gedge_provision.models.site_records import SiteRecord
from gedge_provision.planning.site_records import after_apply, before_apply, without

NODES = [
    {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"]},
    {"name": "w1", "address": "192.0.2.2"},
]
SITE = Site.model_validate({"name": "edge", "nodes": NODES})
SMALL = Site.model_validate({"name": "edge", "nodes": NODES[:1]})
APPLIED = SiteRecord(site=SITE)


def result(status: str = "successful", facts: tuple[str, ...] = ("m1", "w1"), **changes: list[Change]) -> RunResult:
    made = {host: tuple(found) for host, found in changes.items()}
    return RunResult(status, 1.0, (), {}, made, (), (), {host: {"cpus": 2} for host in facts}, Path("run"))


def applied(record: SiteRecord, ran: RunResult, site: Site = SITE, **more: Any) -> SiteRecord:
    hosts = more.get("hosts", [node.name for node in site.nodes])
    whole = APPLIED.model_copy(update={"site": site}) if ran.status == "successful" and "hosts" not in more else None
    return after_apply(record, site, ran, hosts=hosts, applied=whole)


def test_hosts_are_known_before_the_run_and_what_was_made_after_it() -> None:
    known = before_apply(SiteRecord(), SITE, ["m1", "w1"])
    assert known.hosts["w1"].connection["ansible_host"] == "192.0.2.2"
    assert known.site is None
    install = [Change("file", "/a", "create"), Change("node", "w1", "join"), Change("label", "w1 a=b", "create")]
    record = applied(SiteRecord(), result(w1=install))
    assert record.hosts["w1"].made == tuple(install[:2])
    assert record.hosts["w1"].facts == {"cpus": 2}
    assert record.site == SITE
    repaired = applied(record, result(w1=[Change("file", "/a", "create"), Change("file", "/b", "change")]))
    assert repaired.hosts["w1"].made == tuple(install[:2])
    assert applied(record, result(w1=[Change("file", "/a", "remove")])).hosts["w1"].made == (install[1],)


def test_what_was_in_a_folder_goes_with_it() -> None:
    beside = Change("file", "/etc/plugins.d", "create")
    record = applied(SiteRecord(), result(w1=[Change("file", "/etc/plugin/a", "create"), beside]))
    assert applied(record, result(w1=[Change("folder", "/etc/plugin", "remove")])).hosts["w1"].made == (beside,)


def test_modules_that_are_unloaded_and_cards_that_are_given_back_are_no_longer_ours() -> None:
    module, stays = (Change("kernel_module", name, "load") for name in ("rdma_rxe", "br_netfilter"))
    cards = [Change("nic", f"0000:{bus}:00.0 {what}", "set") for bus in ("41", "81") for what in ("mtu=1600", "vfs=4")]
    record = applied(SiteRecord(), result(w1=[stays, module, *cards]))
    gone = [Change("kernel_module", "rdma_rxe", "unload"), Change("nic", "0000:41:00.0", "restore")]
    assert applied(record, result(w1=gone)).hosts["w1"].made == (stays, *cards[2:])


def test_kernel_arguments_are_known_while_they_are_given() -> None:
    given = [Change("kernel_argument", name, "add") for name in ("nosmt", "a=1")]
    again = [Change("file", "/boot/grub/grub.cfg", "change"), Change("host", "w1", "reboot")]
    record = applied(SiteRecord(), result(w1=[*given, *again]))
    assert record.hosts["w1"].made == tuple(given)
    gone = [Change("kernel_argument", "nosmt", "remove"), *again]
    assert applied(record, result(w1=gone)).hosts["w1"].made == (given[1],)


def test_a_setting_takes_the_place_of_its_former_value() -> None:
    card, other = "0000:41:00.0", "0000:81:00.0"
    join, first = Change("node", "w1", "join"), Change("sysctl", "vm.swappiness=10", "set")
    names = (f"{card} vf 0 trust=on", f"{card} mtu=1600", f"{card} vfs=4", f"{other} vfs=4")
    cards = [Change("nic", name, "set") for name in names]
    record = applied(SiteRecord(), result(w1=[first, *cards, join]))
    assert record.hosts["w1"].made == (first, *cards[1:], join)
    names = (f"{card} vfs=2", f"{card} vf 1 trust=on")
    later = [Change("nic", name, "set") for name in names] + [Change("sysctl", "vm.swappiness=1", "set")]
    assert applied(record, result(w1=later)).hosts["w1"].made == (later[2], cards[1], later[0], cards[3], join)


def test_a_unit_goes_with_its_file_or_when_it_is_disabled() -> None:
    names = ("a.service", "b.service", "c.service")
    made = [Change("unit", name, action) for name in names for action in ("enable", "start")]
    record = applied(SiteRecord(), result(w1=made))
    gone = [Change("unit", "a.service", "disable"), Change("file", "/etc/systemd/system/b.service", "remove")]
    assert applied(record, result(w1=gone)).hosts["w1"].made == tuple(made[4:])


def test_a_host_leaves_the_record_with_the_run_that_forgets_it() -> None:
    record = applied(SiteRecord(), result())
    failed = applied(record, result(status="failed", facts=("m1",)), SMALL)
    assert set(failed.hosts) == {"m1", "w1"}
    forgotten = applied(record, result(status="failed", facts=("m1",), w1=[Change("node", "w1", "forget")]), SMALL)
    assert set(forgotten.hosts) == {"m1"}
    assert set(applied(record, result(facts=("m1",)), SMALL).hosts) == {"m1"}
    limited = applied(record, result(facts=("m1",)), SMALL, hosts=["m1"])
    assert set(limited.hosts) == {"m1", "w1"}


def test_a_host_that_never_answered_is_not_remembered() -> None:
    record = applied(SiteRecord(), result(status="failed", facts=("m1",)))
    assert set(record.hosts) == {"m1"}
    record = applied(SiteRecord(), result())
    assert set(applied(record, result(status="failed", facts=("m1",))).hosts) == {"m1", "w1"}


def test_a_host_of_a_refused_run_is_not_remembered() -> None:
    def refused(phase: str) -> RunResult:
        failure = HostFailure("m1", phase, "Refuse", "no")
        return dataclasses.replace(result(status="failed"), failures=(failure,))

    assert applied(SiteRecord(), refused("Check hosts")).hosts == {}
    assert set(applied(SiteRecord(), refused("Prepare hosts")).hosts) == {"m1", "w1"}
    known = applied(SiteRecord(), result())
    assert set(applied(known, refused("Check hosts")).hosts) == {"m1", "w1"}


def test_a_host_that_was_reset_is_forgotten_and_no_plan_is_made_from_the_record() -> None:
    record = without(applied(SiteRecord(), result()), ["w1"])
    assert set(record.hosts) == {"m1"}
    assert record.site is None


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_record(tmp_path) == SiteRecord()
    record = applied(SiteRecord(), result(w1=[Change("file", "/a", "create")]))
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    assert (tmp_path / "record.json").stat().st_mode & 0o777 == 0o600
