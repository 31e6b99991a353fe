"""Which nodes and which networks are measured, and what is refused or left out."""

from __future__ import annotations

from typing import Any

import pytest

from gedge_provision.models.errors import UsageError
from gedge_provision.models.site import Site
from gedge_provision.planning.perf import choose_ends, find_paths, parse_addresses

WHEREABOUTS = {"type": "whereabouts", "range": "10.77.0.0/24"}
VF = {"name": "nic", "nics": {"vendor": "8086"}, "vfs": 4, "resource": "intel.com/vf"}
RAW = {"name": "raw", "nics": {"vendor": "15b3"}, "vfs": 4, "resource": "intel.com/raw", "device_type": "vfio-pci"}
ATTACHMENTS: list[dict[str, Any]] = [
    {"name": "storage", "type": "macvlan", "master": "eth0", "ipam": WHEREABOUTS},
    {"name": "fixed", "type": "macvlan", "master": "eth0", "ipam": {"type": "static"}},
    {"name": "inside", "type": "bridge", "bridge": "br0", "ipam": WHEREABOUTS},
    {"name": "fast", "type": "sriov", "resource": "intel.com/vf", "ipam": WHEREABOUTS},
    {"name": "raw", "type": "sriov", "resource": "intel.com/raw", "ipam": WHEREABOUTS},
    {"name": "card", "type": "host-device", "device": "eth3", "ipam": WHEREABOUTS},
    {"name": "card", "namespace": "other", "type": "macvlan", "master": "eth4", "ipam": WHEREABOUTS},
]
SITE = Site.model_validate(
    {
        "name": "edge",
        "node_classes": {"default": {}, "fast": {"sriov": [VF, RAW]}},
        "networks": {"attachments": ATTACHMENTS},
        "nodes": [
            {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"]},
            {"name": "w1", "address": "192.0.2.2", "node_class": "fast"},
            {"name": "w2", "address": "192.0.2.3", "node_class": "fast"},
            {"name": "w3", "address": "192.0.2.4"},
        ],
    }
)


@pytest.mark.parametrize(
    ("client", "server", "same", "expected"),
    [
        (None, None, False, ("w1", "w2")),
        (None, "w1", False, ("w2", "w1")),
        ("w3", None, False, ("w3", "w1")),
        ("w2", "w2", False, ("w2", "w2")),
        (None, None, True, ("w1", "w1")),
        (None, "w3", True, ("w3", "w3")),
    ],
)
def test_nodes_are_the_named_ones_else_the_first_workers(
    client: str | None, server: str | None, same: bool, expected: tuple[str, str]
) -> None:
    ends = choose_ends(SITE, client, server, same_node=same)
    assert (ends.client.name, ends.server.name) == expected
    assert ends.same == (expected[0] == expected[1])


def test_the_only_worker_is_both_ends() -> None:
    alone = SITE.model_copy(update={"nodes": SITE.nodes[:2]})
    assert choose_ends(alone, None, None).same


@pytest.mark.parametrize(
    ("client", "server", "same", "message"),
    [
        ("w11", None, False, "the site file has no node w11\n-> did you mean w1?"),
        ("m1", None, False, "node m1 is no worker\n-> use one of w1, w2, w3"),
        ("w1", "w2", True, "exclude each other"),
    ],
)
def test_wrong_nodes_are_refused(client: str | None, server: str | None, same: bool, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_ends(SITE, client, server, same_node=same)
    assert message in str(caught.value)


def test_all_networks_of_both_nodes_and_why_the_others_are_left_out() -> None:
    paths, left_out = find_paths(SITE, choose_ends(SITE, None, None))
    assert [path.name for path in paths] == ["host", "flannel", "storage", "fast", "default/card", "other/card"]
    assert [path.kind for path in paths] == ["host", "flannel", "macvlan", "sriov", "host-device", "macvlan"]
    reasons = {problem.path: problem.message for problem in left_out}
    assert set(reasons) == {"fixed", "inside", "raw"}
    assert "no addresses" in reasons["fixed"]
    assert "vfio-pci" in reasons["raw"]


def test_what_a_node_class_leaves_out_is_said() -> None:
    _, left_out = find_paths(SITE, choose_ends(SITE, "w1", "w3"))
    assert {problem.path: problem.message for problem in left_out}["fast"] == "its node classes leave out w3"


def test_what_was_asked_for_is_measured_or_refused() -> None:
    ends = choose_ends(SITE, None, None)
    paths, left_out = find_paths(SITE, ends, ["inside", "storage", "default/storage"])
    assert ([path.name for path in paths], left_out) == (["inside", "storage"], ())
    for name, message in (
        ("fixed", "--address fixed=SERVER/LENGTH,CLIENT/LENGTH"),
        ("flanel", "did you mean flannel?"),
        ("card", "the site has no network card"),
        ("raw", "vfio-pci"),
    ):
        with pytest.raises(UsageError) as caught:
            find_paths(SITE, ends, [name])
        assert message in str(caught.value)
    with pytest.raises(UsageError, match="host takes no addresses"):
        find_paths(SITE, ends, (), {"host": ("10.10.2.61/24", "10.10.2.62/24")})
    with pytest.raises(UsageError, match="both pods would want it"):
        find_paths(SITE, choose_ends(SITE, None, None, same_node=True), ["default/card"])


def test_fixed_addresses_take_the_place_of_what_the_attachment_gives() -> None:
    addresses = parse_addresses(["fixed=10.10.2.61/24,10.10.2.62/24", "storage=10.1.0.1/30,10.1.0.2/30"])
    paths, _ = find_paths(SITE, choose_ends(SITE, None, None), ["fixed", "storage"], addresses)
    assert [path.addresses for path in paths] == [("10.10.2.61/24", "10.10.2.62/24"), ("10.1.0.1/30", "10.1.0.2/30")]
    assert [path.attachment.ipam.type for path in paths if path.attachment] == ["static", "static"]


@pytest.mark.parametrize(
    "text",
    [
        "fixed",
        "fixed=10.0.0.1/24",
        "fixed=10.0.0.1/24,10.0.0.x/24",
        "fixed=10.0.0.1/24,10.0.1.2/24",
        "fixed=10.0.0.1/24,10.0.0.1/24",
        "fixed=10.0.0.1,10.0.0.2",
        "fixed=10.0.0.1/24,10.0.0.2/24,10.0.0.3/24",
    ],
)
def test_wrong_addresses_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_addresses([text])
    assert caught.value.place == "--address"
    assert caught.value.remedy
