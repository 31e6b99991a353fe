from __future__ import annotations

import tomllib
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gedge_provision.models.documents import parse_yaml, validate
from gedge_provision.models.emulation import EmulatedNode
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.lab import LabNode, LabSpec, NodeStatus, bridge_name
from gedge_provision.models.lab_host import Holder, HostFacts
from gedge_provision.models.site import Site
from gedge_provision.planning.lab import changes, free_subnet, in_the_way, lab_spec, readiness
from gedge_provision.planning.lab_host import podman_configuration
from gedge_provision.planning.lab_nodes import container_name, container_prefix, made_of, node_arguments, node_state
from gedge_provision.planning.lab_site import lab_site
from gedge_provision.planning.site_checks import check_site

FOLDER = Path("/state/labs/x")
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)


def spec(**more: object) -> LabSpec:
    nodes = (LabNode("m1", IPv4Address("10.89.1.11")), LabNode("w1", IPv4Address("10.89.1.21")))
    plain = LabSpec("x", IPv4Network("10.89.1.0/24"), nodes, FOLDER / "id_ed25519", FOLDER / "known_hosts")
    return replace(plain, **more)  # type: ignore[arg-type]


def load(text: str) -> Site:
    return validate(parse_yaml(text, "site.yml"), Site, check_site)


@given(NAMES)
def test_bridge_names_fit_into_linux(name: str) -> None:
    assert len(bridge_name(name)) <= 15
    assert bridge_name(name).startswith("gedge-")


def test_long_names_keep_their_bridges_apart() -> None:
    assert bridge_name("molecule-one") != bridge_name("molecule-two")


@given(NAMES, st.sampled_from([1, 3, 5]), st.integers(0, 230), st.integers(0, 4))
def test_made_site_is_valid_and_a_lab(name: str, control_planes: int, workers: int, hardware: int) -> None:
    subnet = IPv4Network("10.89.7.0/24")
    site = load(lab_site(name, subnet, FOLDER, control_planes=control_planes, workers=workers, hardware=hardware))
    made = lab_spec(site, FOLDER, Path("/home"))
    assert len(made.nodes) == control_planes + workers + hardware
    assert [node.name for node in made.nodes if node.hardware] == [f"gedgeh{n + 1:02}" for n in range(hardware)]
    assert len({node.address for node in made.nodes}) == len(made.nodes)
    assert made.gateway not in {node.address for node in made.nodes}


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("Upper", {}), ("-x", {}), ("x" * 33, {}), ("x", {"control_planes": 2}), ("x", {"workers": -1}),
     ("x", {"workers": 231}), ("x", {"hardware": 5})],
)  # fmt: skip
def test_site_that_cannot_be(name: str, sizes: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        lab_site(name, IPv4Network("10.89.7.0/24"), FOLDER, **sizes)


def test_spec_wants_its_keys_where_the_lab_makes_them() -> None:
    site = yaml.safe_load(lab_site("x", IPv4Network("10.89.7.0/24"), Path("/elsewhere")))
    with pytest.raises(UsageError, match=r"ssh\.private_key"):
        lab_spec(load(yaml.safe_dump(site)), FOLDER, Path("/home"))
    site["ssh"] = {"private_key": "~/id_ed25519", "known_hosts": "~/known_hosts"}
    assert lab_spec(load(yaml.safe_dump(site)), FOLDER, FOLDER).private_key == FOLDER / "id_ed25519"
    site["ssh"] = {}
    assert lab_spec(load(yaml.safe_dump(site)), FOLDER, Path("/home")).known_hosts == FOLDER / "known_hosts"


@pytest.mark.parametrize(("ssh", "said"), [({"port": 2222}, "port 22, not 2222"), ({"user": "admin"}, "only root")])
def test_lab_nodes_know_one_user_and_one_port(ssh: dict[str, object], said: str) -> None:
    site = yaml.safe_load(lab_site("x", IPv4Network("10.89.7.0/24"), FOLDER))
    site["ssh"] = {**ssh, "become": True}
    with pytest.raises(UsageError, match=said) as caught:
        lab_spec(load(yaml.safe_dump(site)), FOLDER, Path("/home"))
    assert "remove ssh." in caught.value.remedy


def test_real_site_is_no_lab() -> None:
    site = load("name: real\nnodes:\n- {name: a, address: 192.0.2.1, roles: [control_plane]}\n")
    with pytest.raises(UsageError, match="no `lab` section"):
        lab_spec(site, FOLDER, Path("/home"))


def test_in_the_way_names_the_holder() -> None:
    holders = [Holder(IPv4Network("10.89.0.0/16"), "is routed to tun0"), Holder(IPv4Network("10.90.0.0/16"), "else")]
    assert in_the_way(IPv4Network("10.89.7.0/24"), holders) == ["10.89.0.0/16 is routed to tun0"]


@given(NAMES, st.sets(st.integers(0, 254), max_size=254))
def test_free_subnet_is_free_and_stable(name: str, taken: set[int]) -> None:
    holders = [Holder(IPv4Network(f"10.89.{number}.0/24"), "x") for number in taken]
    subnet = free_subnet(name, holders)
    assert subnet == free_subnet(name, holders)
    assert not in_the_way(subnet, holders)
    alone = free_subnet(name, [])
    assert subnet == alone or in_the_way(alone, holders)


def test_no_free_subnet() -> None:
    with pytest.raises(UsageError):
        free_subnet("x", [Holder(IPv4Network("10.0.0.0/8"), "is routed to tun0")])


def status(node: str, address: str, state: str = "running", made: str = "d1") -> NodeStatus:
    return NodeStatus("x", node, IPv4Address(address), state, made_of=made)  # type: ignore[arg-type]


def test_changes() -> None:
    made = {"m1": "d1", "w1": "d1"}
    plan = changes(spec(), [], made)
    assert [node.name for node in plan.create] == ["m1", "w1"]
    assert (plan.start, plan.remove) == ((), {})

    plan = changes(spec(), [status("m1", "10.89.1.11"), status("w1", "10.89.1.21")], made)
    assert (plan.create, plan.start, plan.remove) == ((), (), {})

    plan = changes(spec(), [status("m1", "10.89.1.11", "stopped"), status("old", "10.89.1.40")], made)
    assert [node.name for node in plan.start] == ["m1"]
    assert [node.name for node in plan.create] == ["w1"]
    assert plan.remove == {"old": "the site file does not have it"}

    plan = changes(spec(), [status("m1", "10.89.1.99"), status("w1", "10.89.1.21", "broken")], made)
    assert plan.remove == {
        "m1": "its address is 10.89.1.99, not 10.89.1.11",
        "w1": "it cannot be started any more",
    }
    assert [node.name for node in plan.create] == ["m1", "w1"]


def test_nodes_made_of_something_else_are_made_anew() -> None:
    store = Path("/cache/store")
    node = spec().nodes[0]
    plain = made_of(spec(), node, store)
    assert plain == made_of(spec(), spec().nodes[1], store)  # a node is made of what all of its kind are
    others = [made_of(spec(base="debian13"), node, store), made_of(spec(store_at="/srv/a"), node, store)]
    others += [
        made_of(spec(store_at="/srv/b"), node, store),
        made_of(spec(store_at="/srv/a"), node, Path("/other/store")),
    ]
    emulated = replace(node, hardware=EmulatedNode())
    others += [made_of(spec(), emulated, store), made_of(spec(), replace(node, hardware=EmulatedNode(cores=4)), store)]
    assert len({plain, *others}) == 7
    assert made_of(spec(), emulated, store) == made_of(spec(base="debian13"), emulated, store)

    present = [status("m1", "10.89.1.11", made=plain), status("w1", "10.89.1.21", "stopped", made="")]
    plan = changes(spec(), present, dict.fromkeys(("m1", "w1"), plain))
    assert [node.name for node in plan.create] == ["w1"]
    assert plan.start == ()
    assert plan.remove == {"w1": "it was made with another lab.base, lab.emulated or artifacts.host_path"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, (False, "waits for sshd")),
        ("", (False, "systemd is silent")),
        ("starting\n", (False, "systemd is starting")),
        ("running\n", (True, "")),
        ("degraded\nkubelet.service loaded failed failed kubelet\n", (True, "failed units: kubelet.service")),
    ],
)
def test_readiness(answer: str | None, expected: tuple[bool, str]) -> None:
    assert readiness(answer) == expected


def facts(**more: object) -> HostFacts:
    plain = HostFacts(
        cgroup_version=2,
        runtimes=frozenset({"crun", "runc"}),
        hard_nofile=1048576,
        hard_nproc=2**62,
        pid_max=4194304,
        may_raise_limits=False,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "runtime", "ulimits"),
    [
        (facts(), "crun", None),
        (facts(cgroup_version=1), "runc", None),
        (facts(runtimes=frozenset({"runc"})), "runc", None),
        (facts(hard_nofile=20000, pid_max=32768), "crun", ["nofile=20000:20000", "nproc=32768:32768"]),
        (facts(hard_nofile=20000, pid_max=32768, may_raise_limits=True), "crun", None),
        (facts(hard_nproc=4096), "crun", ["nproc=4096:4096"]),
    ],
)
def test_podman_configuration(host: HostFacts, runtime: str, ulimits: list[str] | None) -> None:
    settings = tomllib.loads(podman_configuration(host))
    assert settings["engine"]["runtime"] == runtime
    assert settings["containers"].get("default_ulimits") == ulimits


def test_no_runtime_for_this_cgroup_version() -> None:
    with pytest.raises(GedgeError, match="apt-get install runc"):
        podman_configuration(facts(cgroup_version=1, runtimes=frozenset({"crun"})))


def test_labs_with_similar_names_are_apart() -> None:
    assert not container_name("a-b", "n").startswith(container_prefix("a"))


@pytest.mark.parametrize(
    ("word", "state"), [("running", "running"), ("exited", "stopped"), ("created", "stopped"), ("removing", "broken")]
)
def test_node_state(word: str, state: str) -> None:
    assert node_state(word) == state


def test_node_arguments() -> None:
    node = spec().nodes[0]
    known = {"image": "i", "folder": FOLDER / "nodes/m1", "data": ("etcd",), "store": Path("/cache/store")}
    plain = node_arguments(spec(), node, modules=False, **known)  # type: ignore[arg-type]
    assert plain[-2:] == ["i", "/sbin/init"]
    assert plain[plain.index("--ip") + 1] == "10.89.1.11"
    assert f"{FOLDER}/nodes/m1/data/etcd:/var/lib/etcd" in plain
    assert not any("store" in word or "modules" in word for word in plain)
    full = node_arguments(spec(store_at="/store"), node, modules=True, **known)  # type: ignore[arg-type]
    assert "/cache/store:/store:ro" in full
    assert "/lib/modules:/lib/modules:ro" in full
    assert f"gedge.made-of={made_of(spec(store_at='/store'), node, Path('/cache/store'))}" in full
