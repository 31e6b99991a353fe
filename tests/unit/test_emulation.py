from __future__ import annotations

import struct
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gedge_provision.models.base_image import Mirrors
from gedge_provision.models.documents import parse_yaml, validate
from gedge_provision.models.emulation import EmulatedNode, Kernel, Machine
from gedge_provision.models.errors import DocumentError
from gedge_provision.models.lab import LabNode, LabSpec, bridge_name, data_bridge_name
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.site import Site
from gedge_provision.planning.emulated_image import (
    DISK_BYTES,
    PARTITION_AT,
    boot_area,
    emulation_plan,
    probe_sector,
)
from gedge_provision.planning.emulation import emulator_command, image_tool, machine, nics, tap_prefix
from gedge_provision.planning.inventory import compile_inventory
from gedge_provision.planning.site_checks import check_site

FOLDER = Path("/state/labs/x")
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)
SITE = """\
name: x
lab:
  subnet: 10.89.7.0/24
  emulated: {{{emulated}}}
nodes:
  - {{name: m1, address: 10.89.7.11, roles: [control_plane]}}
  - {{name: h1, address: 10.89.7.16}}
"""


def site(emulated: str) -> Site:
    return validate(parse_yaml(SITE.format(emulated=emulated), "site.yml"), Site, check_site)


def made(
    hardware: EmulatedNode | None = None,
    *,
    accelerator: str = "tcg",
    host_cpus: int = 2,
    store_at: str | None = "/srv/store",
) -> Machine:
    node = LabNode("h1", IPv4Address("10.89.7.16"), hardware or EmulatedNode())
    spec = LabSpec("x", IPv4Network("10.89.7.0/24"), (node,), FOLDER / "id", FOLDER / "known", store_at=store_at)
    tree, store = Path("/cache/qemu"), Path("/cache/a,b")
    host = {"accelerator": accelerator, "host_cpus": host_cpus}
    return machine(spec, node, tree=tree, store=store, **host)  # type: ignore[arg-type]


def options(machine: Machine, name: str) -> list[str]:
    return [value for option, value in zip(machine.argv, machine.argv[1:], strict=False) if option == name]


def test_defaults_are_a_whole_node() -> None:
    hardware = site("h1: {}").lab.emulated["h1"]  # type: ignore[union-attr]
    assert hardware == EmulatedNode()
    found = made(hardware)
    assert options(found, "-smp") == ["8,sockets=2,cores=2,threads=2"]
    assert options(found, "-m") == ["4096M"]
    assert options(found, "-numa") == [
        "node,nodeid=0,memdev=m0",
        "node,nodeid=1,memdev=m1",
        "cpu,node-id=0,socket-id=0",
        "cpu,node-id=1,socket-id=1",
    ]
    devices = options(found, "-device")
    assert [word for word in devices if word.startswith("pxb")] == [
        "pxb-pcie,id=pxb0,bus_nr=64,bus=pcie.0,addr=8,numa_node=0",
        "pxb-pcie,id=pxb1,bus_nr=128,bus=pcie.0,addr=9,numa_node=1",
    ]
    assert [word.split(",")[2] for word in devices if word.startswith("igb")] == ["bus=rp0", "bus=rp1"]


@pytest.mark.parametrize(
    ("shape", "nodes"),
    [
        ({"sockets": 1, "numa_nodes": 1}, [0]),
        ({"sockets": 4, "numa_nodes": 2}, [0, 0, 1, 1]),
        ({"sockets": 4, "numa_nodes": 4, "cores": 1}, [0, 1, 2, 3]),
    ],
)
def test_sockets_are_shared_out_in_order(shape: dict[str, int], nodes: list[int]) -> None:
    words = [word for word in options(made(EmulatedNode(**shape)), "-numa") if word.startswith("cpu")]  # type: ignore[arg-type]
    assert words == [f"cpu,node-id={node},socket-id={socket}" for socket, node in enumerate(nodes)]


def test_no_secret_and_no_monitor_on_a_network() -> None:
    found = made()
    assert options(found, "-qmp") == ["unix:qmp.sock,server=on,wait=off"]
    handed = options(found, "-fw_cfg")
    assert "name=opt/io.systemd.credentials/ssh_host_ed25519_key,file=ssh/ssh_host_ed25519_key" in handed
    assert all("string=" not in word for word in handed if "key" in word)
    assert options(found, "-sandbox")[0].startswith("on,")


def test_store_is_read_only_and_its_path_may_have_commas() -> None:
    assert "local,id=store,path=/cache/a,,b,security_model=none,readonly=on" in made().argv
    assert any("/srv/store 9p ro,,trans=virtio" in word for word in options(made(), "-fw_cfg"))
    assert "-fsdev" not in made(store_at=None).argv


def test_the_tool_for_disks_is_the_one_of_its_emulator() -> None:
    assert image_tool(made()) == emulator_command(Path("/cache/qemu"), "qemu-img")
    with pytest.raises(ValueError, match="is no guest of ours"):
        image_tool(replace(made(), argv=("qemu", "-m", "4096M")))


def test_kvm_gives_the_host_s_processor() -> None:
    assert options(made(accelerator="kvm"), "-cpu") == ["host"]
    (processor,) = options(made(), "-cpu")
    assert processor.startswith("Nehalem,")


def test_virtual_processors_have_threads_where_the_host_has_processors_for_them() -> None:
    cpus = options(made(), "-smp")[0].split(",")[0]
    assert "thread=single" in options(made(host_cpus=int(cpus) - 1), "-accel")[0]
    assert "thread=multi" in options(made(host_cpus=int(cpus)), "-accel")[0]


def test_nics_are_plugged_into_the_switch_and_the_rest_into_the_lab() -> None:
    bridges = list(made(EmulatedNode(nics_per_numa_node=2)).bridges.values())
    assert bridges == [bridge_name("x"), *[data_bridge_name("x")] * 4]
    assert list(made(EmulatedNode(nics_per_numa_node=0)).bridges.values()) == [bridge_name("x")]


@given(NAMES, NAMES, NAMES)
def test_names_and_addresses_fit_and_differ(lab: str, node: str, other: str) -> None:
    assert len(data_bridge_name(lab)) <= 15
    assert data_bridge_name(lab) != bridge_name(lab)
    hardware = EmulatedNode(sockets=4, numa_nodes=4, nics_per_numa_node=4)
    found = [nic for name in {node, other} for nic in nics(lab, name, hardware)]
    assert len({nic.tap for nic in found}) == len({nic.mac for nic in found}) == len(found)
    assert all(len(nic.tap) <= 15 and nic.tap.startswith(tap_prefix(lab)) for nic in found)


@pytest.mark.parametrize(
    ("emulated", "field", "message"),
    [
        ("h2: {}", r"lab\.emulated\.h2", "there is no node h2"),
        ("m1: {}", r"lab\.emulated\.m1", "m1 is a control-plane node"),
        ("h1: {sockets: 2, numa_nodes: 3}", "numa_nodes", "3 NUMA nodes cannot share 2 sockets evenly"),
        ("h1: {sockets: 1}", "numa_nodes", "2 NUMA nodes cannot share 1 sockets evenly"),
        ("h1: {sockets: 4, cores: 8}", r"lab\.emulated\.h1", "64 CPUs are more than emulation can carry"),
        ("h1: {memory: 512Mi}", "memory", "512Mi is too little for a node\n  -> use 1Gi"),
        ("h1: {memory: 500m}", "memory", "fraction of a byte"),
        ("h1: {threads: 4}", "threads", "2"),
        ("h1: {nics_per_numa_node: 9}", "nics_per_numa_node", "4"),
        ("h1: {kernel: sid}", "kernel", "backports"),
        ("h1: {vfs: 7}", "vfs", "unknown key"),
    ],
)
def test_hardware_that_cannot_be(emulated: str, field: str, message: str) -> None:
    with pytest.raises(DocumentError, match=field) as caught:
        site(emulated)
    assert message in str(caught.value)
    assert "-> " in str(caught.value)


@pytest.mark.parametrize(
    ("emulated", "remedy"),
    [("h1: {nics_per_numa_node: 0}", "set lab.emulated.h1.nics_per_numa_node"), ("", "add it to lab.emulated")],
)
def test_a_node_without_cards_has_no_virtual_functions(emulated: str, remedy: str) -> None:
    policy = "{name: data, nics: {interfaces: [a]}, vfs: 2, resource: intel.com/vf, owner: host}"
    text = SITE.format(emulated=emulated).replace("roles:", "node_class: plain, roles:")
    text += f"node_classes: {{plain: {{}}, default: {{sriov: [{policy}]}}}}\n"
    with pytest.raises(DocumentError, match="h1 has no network card with SR-IOV, which policy data") as caught:
        validate(parse_yaml(text, "site.yml"), Site, check_site)
    assert remedy in str(caught.value)
    assert validate(parse_yaml(text.replace("owner: host", "owner: operator"), "site.yml"), Site, check_site)


def test_the_label_says_what_the_node_is() -> None:
    found = compile_inventory(site("h1: {}"), {"control_plane": [], "worker": []}, "/k").variables["nodes_labels"]
    assert found["h1"]["gedge.dev/emulated-hardware"] == "true"
    assert "gedge.dev/emulated-hardware" not in found["m1"]


def plan(kernel: Kernel = "backports", **more: bytes) -> tuple[str, str]:
    files = {"packages.txt": b"linux-image-amd64\nnumactl\n", "qemu.txt": b"qemu-system-x86\n", "setup.sh": b"true\n"}
    found = emulation_plan({**files, **more}, "systemd\nnumactl\n", "mmdebstrap 1.5", Mirrors(), kernel)
    assert found.guest.packages.count("numactl") == 1
    return found.emulator.digest, found.guest.digest


def test_what_changes_the_emulator_leaves_the_disk_alone() -> None:
    emulator, guest = plan()
    assert plan(**{"setup.sh": b"false\n"}) == (emulator, plan(**{"setup.sh": b"false\n"})[1])
    assert plan(**{"setup.sh": b"false\n"})[1] != guest
    assert plan(**{"qemu.txt": b"qemu-utils\n"})[1] == guest
    assert plan(**{"qemu.txt": b"qemu-utils\n"})[0] != emulator
    assert plan("stable")[1] != guest


def test_only_the_kernel_is_taken_from_backports() -> None:
    files = {"packages.txt": b"linux-image-amd64\nnumactl\n", "qemu.txt": b"qemu-system-x86\n"}
    for kernel, image in (("backports", "linux-image-amd64/trixie-backports"), ("stable", "linux-image-amd64")):
        found = emulation_plan(files, "systemd\n", "x", Mirrors(), kernel).guest  # type: ignore[arg-type]
        assert found.packages == ("systemd", image, "numactl")


def test_boot_area_has_grub_and_one_active_partition() -> None:
    area = boot_area(b"\xeb" * 512, b"core")
    assert (area[:446], area[510:512], area[512:]) == (b"\xeb" * 446, b"\x55\xaa", b"core")
    active, kind, first, sectors = struct.unpack("<B3xB3xII", area[446:462])
    assert (active, kind, first * 512, (first + sectors) * 512) == (0x80, 0x83, PARTITION_AT, DISK_BYTES)
    assert area[462:510] == bytes(48)
    with pytest.raises(ValueError, match="does not fit"):
        boot_area(bytes(512), bytes(PARTITION_AT))


def test_probe_is_a_boot_sector() -> None:
    assert len(probe_sector()) == 512
    assert probe_sector()[510:] == b"\x55\xaa"


def test_a_container_is_no_machine() -> None:
    spec = LabSpec("x", IPv4Network("10.89.7.0/24"), (), FOLDER, FOLDER)
    node = replace(LabNode("w1", IPv4Address("10.89.7.21")))
    with pytest.raises(ValueError, match="no emulated node"):
        machine(spec, node, tree=Path("/q"), store=Path("/s"), accelerator="tcg", host_cpus=2)


def test_memory_is_shared_evenly() -> None:
    found = made(EmulatedNode(sockets=4, numa_nodes=4, memory=Quantity("6Gi")))
    assert [word for word in options(found, "-object") if "size=1536M" in word] == [
        f"memory-backend-ram,id=m{number},size=1536M" for number in range(4)
    ]


def test_an_iommu_comes_before_the_devices_behind_it() -> None:
    assert not [word for word in made().argv if "iommu," in word]
    assert options(made(EmulatedNode(iommu=True)), "-device")[0].startswith("intel-iommu,")
