"""The module `sriov` on a host of files: selection, dues, refusals, changes, the program of the boot, the way back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from sriov_host import Host

from plugins.module_utils import host_state, sriov_cards, sriov_functions
from plugins.modules import network_look, preflight, sriov

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files of root are written: run the tests as root")

RESOURCE = "intel.com/intel_sriov_netdevice"
DATA = {"name": "data", "nics": {"vendor": "8086", "device": "10c9"}, "vfs": 4, "resource": RESOURCE}
FIRST, SECOND = "0000:41:00.0", "0000:81:00.0"
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host with two cards, on which everything that our code names lies below a folder."""
    made = Host(tmp_path)
    sys = tmp_path / "sys"
    for name, path in (
        ("DEVICES", sys / "bus/pci/devices"),
        ("DRIVERS", sys / "bus/pci/drivers"),
        ("PROBE", sys / "bus/pci/drivers_probe"),
        ("NETWORKS", sys / "class/net"),
    ):
        monkeypatch.setattr(sriov_functions, name, str(path))
    monkeypatch.setattr(sriov_functions, "write", made.write)
    monkeypatch.setattr(sriov_functions, "PATIENCE_S", 1)
    for name, path in (
        ("OPERATOR_FOLDER", tmp_path / "sriov-operator"),
        ("CHECKPOINT", tmp_path / "checkpoint"),
        ("PODS", tmp_path / "pods"),
        ("POD_LOGS", tmp_path / "logs"),
    ):
        monkeypatch.setattr(sriov_cards, name, str(path))
    for name in ("PROGRAM", "SETTINGS", "PLUGIN_SETTINGS", "UNITS", "CRICTL"):
        monkeypatch.setattr(sriov, name, str(tmp_path / "host") + getattr(sriov, name))
    monkeypatch.setattr(host_state, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(host_state, "LOCK_FILE", str(tmp_path / "lock"))
    monkeypatch.setenv("PATH", f"{made.programs}:{os.environ['PATH']}")
    return made


@pytest.fixture
def run(host: Host, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the module as Ansible does, and return what it prints."""

    def call(*policies: dict[str, Any], check: bool = False, module: Any = sriov, **more: Any) -> dict[str, Any]:
        own = {"node_name": "w1", "management_address": "192.0.2.21"} if module is sriov else {}
        arguments = {"policies": list(policies), "_ansible_check_mode": check, **own, **more}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        found.pop("invocation", None)
        return found

    assert host
    return call


def done(result: dict[str, Any]) -> list[str]:
    assert not result.get("failed"), result["msg"]
    return [f"{one['action']} {one['kind']} {one['name']}" for one in result["objects"]]


def refused(result: dict[str, Any]) -> str:
    assert result.get("failed"), result
    message: str = result["msg"]
    return message


FILES = ("/usr/local/sbin/gedge-sriov", "/etc/gedge/sriov.json", "/etc/systemd/system/gedge-sriov.service",
         "/etc/pcidp/config.json")  # fmt: skip


def test_what_check_mode_tells_is_done_and_then_nothing_is_due(host: Host, run: Run, tmp_path: Path) -> None:
    before = host.snapshot()
    told = run(DATA, check=True)
    assert host.snapshot() == before
    assert told["ansible_facts"]["gedge_sriov"]["due"] is True
    made = run(DATA)
    assert done(told) == done(made)
    files = [f"create file {tmp_path}/host{path}" for path in FILES]
    assert done(made) == [
        f"set nic {FIRST} vfs=4",
        f"set nic {SECOND} vfs=4",
        *files,
        "enable unit gedge-sriov.service",
    ]
    (tmp_path / "host/etc/systemd/system/multi-user.target.wants").mkdir()
    (tmp_path / "host/etc/systemd/system/multi-user.target.wants/gedge-sriov.service").symlink_to("../x")
    for check in (True, False):
        again = run(DATA, check=check)
        assert done(again) == []
        assert again["ansible_facts"]["gedge_sriov"]["due"] is False


def test_functions_have_their_settings_before_their_driver_and_the_same_addresses_at_every_boot(
    host: Host, run: Run, tmp_path: Path
) -> None:
    run(DATA | {"trust": True, "spoof_check": False, "vlan": 7})
    first = host.settings("enp65s0")
    assert [entry["trust"] for entry in first] == [True] * 4
    assert [entry["spoofchk"] for entry in first] == [False] * 4
    assert [entry["vlan_list"] for entry in first] == [[{"vlan": 7}]] * 4
    macs = [entry["address"] for entry in first + host.settings("enp129s0")]
    assert len(set(macs)) == 8
    assert all(mac.startswith("02:") for mac in macs)
    # The interface took the address that was set before the driver came; no driver was bound twice.
    assert (host.networks / "enp65s0v0" / "address").read_text().strip() == macs[0]
    assert [place for place, _ in host.written if place.endswith("unbind")] == []
    # Meanwhile no driver could take a function: udev loads the module as soon as there is one.
    assert set((host.root / "autoprobe.log").read_text().split()) == {"0"}
    assert (host.devices / FIRST / "sriov_drivers_autoprobe").read_text().strip() == "1"
    host.set_number(host.devices / FIRST, 0)
    host.set_number(host.devices / SECOND, 0)
    (host.devices / FIRST / "sriov_numvfs").write_text("0")
    (host.devices / SECOND / "sriov_numvfs").write_text("0")
    assert sriov_functions.main(str(tmp_path / "host/etc/gedge/sriov.json")) == 0
    assert [entry["address"] for entry in host.settings("enp65s0") + host.settings("enp129s0")] == macs
    (program,) = tmp_path.glob("host/usr/local/sbin/gedge-sriov")
    assert program.read_text(encoding="utf-8") == Path(sriov_functions.__file__).read_text(encoding="utf-8")


def test_a_boot_makes_the_other_cards_functions_when_one_card_is_gone(
    host: Host, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(DATA)
    host.set_number(host.devices / SECOND, 0)
    (host.devices / SECOND / "sriov_numvfs").write_text("0")
    (host.devices / FIRST).rename(tmp_path / "gone")
    assert sriov_functions.main(str(tmp_path / "host/etc/gedge/sriov.json")) == 1
    assert f"no card with an interface and virtual functions at {FIRST} -> lspci" in capsys.readouterr().err
    assert len(sriov_functions.functions_of(SECOND)) == 4


def test_the_device_plugin_gets_the_cards_and_the_facts_their_numbers(run: Run, tmp_path: Path) -> None:
    other = {"name": "other", "nics": {"numa_nodes": [1]}, "vfs": 2, "resource": "example.org/slow"}
    found = run(DATA | {"nics": {"numa_nodes": [0]}}, other)
    settings = json.loads((tmp_path / "host/etc/pcidp/config.json").read_text())
    offered = {
        f"{one['resourcePrefix']}/{one['resourceName']}": one["selectors"]["rootDevices"]
        for one in settings["resourceList"]
    }
    assert offered == {RESOURCE: [FIRST], "example.org/slow": [SECOND]}
    facts = found["ansible_facts"]["gedge_sriov"]
    assert facts["resources"] == {RESOURCE: 4, "example.org/slow": 2}
    assert facts["numa"] == {"0": {RESOURCE: 4}, "1": {"example.org/slow": 2}}


SELECTED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "ids": ({"vendor": "8086", "device": "10c9"}, [FIRST, SECOND]),
    "driver": ({"driver": "igb"}, [FIRST, SECOND]),
    "interface": ({"interfaces": ["enp129s0", "enp65s0"]}, [FIRST, SECOND]),
    "address": ({"addresses": [SECOND]}, [SECOND]),
    "NUMA node": ({"driver": "igb", "numa_nodes": [0]}, [FIRST]),
}


@pytest.mark.parametrize("how", SELECTED)
def test_a_policy_selects_the_cards_to_which_all_that_it_says_applies(run: Run, how: str) -> None:
    nics, cards = SELECTED[how]
    objects = done(run(DATA | {"nics": nics}, check=True))
    assert [line for line in objects if " nic " in line] == [f"set nic {card} vfs=4" for card in cards]


def operator(host: Host) -> None:
    (host.root / "sriov-operator").mkdir()


def on_a_bridge(host: Host) -> None:
    (host.root / "routes.json").write_text('[{"dst": "default", "dev": "br0"}]')
    (host.networks / "br0").mkdir()
    (host.networks / "br0" / "lower_enp65s0").mkdir()


def without_interface(host: Host) -> None:
    host.unbind(FIRST)


@pytest.mark.parametrize(("interface", "refused"), [("enp65s0", True), ("br0", True), ("enp129s0", False)])
def test_no_interface_that_the_host_lives_by_moves_into_a_pod(host: Host, interface: str, *, refused: bool) -> None:
    on_a_bridge(host)

    class Module:
        params = {  # noqa: RUF012 - as AnsibleModule has them
            "address": "192.0.2.21",
            "interfaces": [
                {"interface": interface, "attachment": "default/card", "moves": True},
                {"interface": "enp65s0", "attachment": "default/shared", "moves": False},
            ],
        }

    found = list(preflight.moving_problems(Module()))
    assert len(found) == refused
    for problem in found:
        assert f"attachment default/card would move {interface} into a pod" in problem
        assert problem.endswith("-> name another interface")


REFUSED: dict[str, tuple[Callable[[Host], None] | None, list[dict[str, Any]], str, str]] = {
    "no such card": (None, [DATA | {"nics": {"vendor": "15b3"}}], "policy data selects no card (vendor 15b3)", FIRST),
    "no SR-IOV": (
        None,
        [DATA | {"nics": {"interfaces": ["ens3"]}}],
        "selects ens3, which has no SR-IOV",
        "name a card",
    ),
    "too many": (None, [DATA | {"vfs": 8}], f"{FIRST} (enp65s0) has at most 7", "ask for fewer"),
    "MTU": (None, [DATA | {"mtu": 9900}], "takes up to 9216", "use that, or less"),
    "two policies": (None, [DATA, DATA | {"name": "more"}], f"data and more both select {FIRST}", "narrow one of them"),
    "no IOMMU": (None, [DATA | {"device_type": "vfio-pci"}], "IOMMU", "device_type: netdevice"),
    "host's address": (
        lambda host: (
            (host.root / "addresses.json").write_text('[{"ifname": "enp65s0", "addr_info": [{"local": "192.0.2.21"}]}]')
            and None
        ),
        [DATA],
        "which carries the node's own address or its default route",
        "name another card",
    ),
    "below the default route": (on_a_bridge, [DATA], f"{FIRST} (enp65s0), which carries", "name another card"),
    "no interface": (without_interface, [DATA], f"{FIRST} has no interface (driver none)", "load its driver"),
    "operator": (operator, [DATA], "the SR-IOV network operator configures the cards", "owner: operator"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_host_cannot_do_is_refused_with_the_remedy_and_nothing_is_touched(
    host: Host, run: Run, tmp_path: Path, case: str
) -> None:
    spoil, policies, message, remedy = REFUSED[case]
    if spoil:
        spoil(host)
    before = host.snapshot()
    for arguments in ({"check": True}, {"state": "looked_at"}, {}):
        said = refused(run(*policies, **arguments))
        assert message in said
        assert remedy in said.partition(" -> ")[2]
    assert host.snapshot() == before
    assert not (tmp_path / "state").exists()


def test_all_problems_are_told_at_once(run: Run) -> None:
    said = refused(run(DATA | {"vfs": 9, "mtu": 9900}))
    assert said.count(" -> ") == 4  # both, for both cards


def test_functions_for_vfio_have_its_driver_and_no_interface(host: Host, run: Run, tmp_path: Path) -> None:
    host.iommu(FIRST)
    policy = DATA | {"nics": {"addresses": [FIRST]}, "device_type": "vfio-pci", "vfs": 2}
    run(policy)
    functions = sriov_functions.functions_of(FIRST)
    assert [sriov_functions.driver_of(function) for function in functions] == ["vfio-pci", "vfio-pci"]
    assert [sriov_functions.interface_of(function) for function in functions] == ["", ""]
    (entry,) = json.loads((tmp_path / "host/etc/pcidp/config.json").read_text())["resourceList"]
    assert entry["selectors"] == {"rootDevices": [FIRST], "drivers": ["vfio-pci"]}
    back = run(policy | {"device_type": "netdevice"})
    assert [line for line in done(back) if " nic " in line] == [
        f"set nic {FIRST} vf {number} driver=netdevice" for number in (0, 1)
    ]
    assert [sriov_functions.driver_of(function) for function in functions] == ["igbvf", "igbvf"]


def test_only_what_differs_is_set(host: Host, run: Run) -> None:
    run(DATA)
    host.written.clear()
    found = run(DATA | {"trust": True, "mtu": 1600})
    nics = [line for line in done(found) if " nic " in line]
    assert nics[:3] == [f"set nic {FIRST} mtu=1600", f"set nic {FIRST} vf 0 trust=on", f"set nic {FIRST} vf 1 trust=on"]
    assert len(nics) == 10
    assert host.written == []  # no function was made anew
    assert {(host.networks / name / "mtu").read_text().strip() for name in ("enp65s0", "enp65s0v3")} == {"1600"}


USERS = {"default/server": "u1"}


def in_use(host: Host, run: Run) -> str:
    run(DATA)
    function = sriov_functions.functions_of(FIRST)[1]
    host.given(function, "u1", "default/server")
    host.into_a_namespace(function)
    return function


def test_functions_that_pods_have_are_changed_by_nobody(host: Host, run: Run) -> None:
    in_use(host, run)
    before = host.snapshot()
    assert f"{FIRST} enp65s0 (default/server) -> end these pods" in refused(run(DATA | {"vfs": 6}))
    held = run(DATA | {"vfs": 6}, hold=True)
    assert held["held"] == [f"{FIRST} enp65s0 (default/server)"]
    assert (held["changed"], held["objects"]) == (False, [])
    assert held["ansible_facts"]["gedge_sriov"]["due"] is True
    assert refused(run(hold=False)).count("default/server") == 1  # nor given back
    assert host.snapshot() == before
    # Settings of a function that a pod has are the pod's; those of the others are set.
    state = json.loads((host.root / "ip.json").read_text())
    state["enp65s0"][1]["trust"] = True
    (host.root / "ip.json").write_text(json.dumps(state))
    assert run(DATA | {"trust": False}, check=True)["held"] == []


def test_a_card_that_somebody_switched_off_is_switched_on_under_pods_too(host: Host, run: Run) -> None:
    in_use(host, run)
    (host.networks / "enp65s0" / "flags").write_text("0x1002")
    host.written.clear()
    found = run(DATA)
    assert [line for line in done(found) if " nic " in line] == [f"set nic {FIRST} link=up"]
    assert found["held"] == host.written == []
    assert (host.networks / "enp65s0" / "flags").read_text() == "0x1003"


def test_who_has_a_function_is_known(host: Host, run: Run, tmp_path: Path) -> None:
    function = in_use(host, run)
    other = sriov_functions.functions_of(SECOND)[0]
    host.into_a_namespace(other)
    assert sriov_cards.pods_with(FIRST) == {function: "default/server"}
    assert sriov_cards.pods_with(SECOND) == {other: "another network namespace"}
    (tmp_path / "pods/u1").rmdir()  # the pod is gone, the kubelet's note is not
    assert sriov_cards.pods_with(FIRST) == {function: "another network namespace"}
    (tmp_path / "checkpoint").write_text("{broken")
    assert sriov_cards.pods_with(FIRST) == {function: "another network namespace"}


def test_everything_comes_back(host: Host, run: Run, tmp_path: Path) -> None:
    (host.devices / SECOND / "sriov_drivers_autoprobe").write_text("0\n")
    (host.networks / "enp129s0" / "flags").write_text("0x1002\n")
    before = host.snapshot()
    run(DATA | {"mtu": 1600})
    run(DATA | {"mtu": 1700, "vfs": 2})  # the first state is remembered, not this one
    assert host.snapshot() != before
    assert [line for line in done(run(check=True)) if " nic " in line] == [
        f"restore nic {FIRST}",
        f"restore nic {SECOND}",
    ]
    gone = run()
    assert done(gone)[2:] == [f"remove file {tmp_path}/host{path}" for path in FILES]
    assert host.snapshot() == before
    assert not [path for path in (tmp_path / "host").rglob("*") if path.is_file()]
    assert not (tmp_path / "state").exists()
    assert done(run()) == []


def test_functions_that_were_there_before_come_back_with_their_settings(host: Host, run: Run) -> None:
    (host.devices / FIRST / "sriov_drivers_autoprobe").write_text("1")
    host.set_number(host.devices / FIRST, 2)
    (host.devices / FIRST / "sriov_numvfs").write_text("2")
    state = json.loads((host.root / "ip.json").read_text())
    state["enp65s0"][1] |= {"address": "52:54:00:aa:00:01", "vlan_list": [{"vlan": 9}], "trust": True}
    (host.root / "ip.json").write_text(json.dumps(state))
    run(DATA | {"nics": {"addresses": [FIRST]}})
    assert len(host.settings("enp65s0")) == 4
    run()
    assert host.settings("enp65s0") == state["enp65s0"]


def test_a_trusted_function_whose_driver_made_up_an_address_gets_its_own_again(host: Host, run: Run) -> None:
    run(DATA | {"trust": True})
    wanted = host.settings("enp65s0")
    (host.networks / "enp65s0v1" / "address").write_text("aa:cd:e1:65:a1:d2\n")
    made_up = json.loads((host.root / "ip.json").read_text())
    made_up["enp65s0"][1]["address"] = "aa:cd:e1:65:a1:d2"
    (host.root / "ip.json").write_text(json.dumps(made_up))
    run(DATA | {"trust": True})
    assert host.settings("enp65s0") == wanted
    assert (host.networks / "enp65s0v1" / "address").read_text().strip() == wanted[1]["address"]


def test_a_policy_that_leaves_one_card_out_gives_that_one_back(run: Run) -> None:
    run(DATA)
    found = run(DATA | {"nics": {"addresses": [SECOND]}})
    assert [line for line in done(found) if " nic " in line] == [f"restore nic {FIRST}"]
    assert (sriov_functions.functions_of(FIRST), len(sriov_functions.functions_of(SECOND))) == ([], 4)


def test_a_device_plugin_that_is_older_than_the_last_change_is_ended(run: Run, tmp_path: Path) -> None:
    crictl = tmp_path / "host/usr/local/bin/crictl"
    crictl.parent.mkdir(parents=True)
    old = json.dumps({"containers": [{"id": "abc", "createdAt": "1000000000"}]})
    crictl.write_text(f"#!/bin/sh\ncase $1 in ps) echo '{old}';; *) echo $* >> {tmp_path}/crictl.log;; esac\n")
    crictl.chmod(0o755)
    run(DATA)
    assert (tmp_path / "crictl.log").read_text() == "stop --timeout 5 abc\n"
    # A run that was killed before it came to this: nothing else is due, and this is told.
    assert "restart container sriov-device-plugin" in done(run(DATA, check=True))


def test_what_the_kernel_refuses_is_told_with_the_place_of_its_reason(tmp_path: Path) -> None:
    with pytest.raises(sriov_functions.FunctionError, match=r"cannot be set to 4 .* -> the kernel's log"):
        sriov_functions.write(4, str(tmp_path), "none", "sriov_numvfs")


def test_the_look_at_networks_tells_cards_functions_and_what_is_not_as_asked(host: Host, run: Run) -> None:
    function = in_use(host, run)
    (host.networks / "enp129s0" / "carrier").write_text("0")
    before = host.snapshot()
    asked = {"interfaces": ["ens3", "eth9"], "management_address": "192.0.2.21", "module": network_look}
    found = run(DATA, **asked)["ansible_facts"]["gedge_networks"]
    cards = {card["address"]: card for card in found["cards"]}
    assert [(card["policy"], card["vfs"], card["carrier"]) for card in cards.values()] == [
        ("data", 4, True),
        ("data", 4, False),
    ]
    told = {one["address"]: one for one in cards[FIRST]["functions"]}
    assert told[function] == {
        "address": function,
        "vendor": "8086",
        "device": "10ca",
        "driver": "igbvf",
        "interface": "",
        "numa_node": 0,
        "user": "default/server",
    }
    assert found["interfaces"] == {"ens3": {"up": True, "carrier": True, "mtu": 1500}}
    assert found["routes"] == [{"destination": "192.0.2.0/24", "interface": "ens3"}]
    assert found["problems"] == []
    wrong = run(DATA | {"vfs": 9, "device_type": "vfio-pci"}, **asked)["ansible_facts"]["gedge_networks"]
    assert len(wrong["problems"]) == 4
    assert host.snapshot() == before
