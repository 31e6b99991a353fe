"""How an emulated node's guest is made: hardware, disk, network and identity as QEMU's arguments. Pure."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gedge_provision.models.emulation import Accelerator, EmulatedNode, Machine, Nic
from gedge_provision.models.lab import LabNode, LabSpec, bridge_name, data_bridge_name
from gedge_provision.planning.lab_nodes import container_name, made_of

__all__ = [
    "DISK",
    "DRIVE",
    "MONITOR",
    "PROBE_EXIT_CODE",
    "emulator_command",
    "image_tool",
    "machine",
    "nics",
    "probe",
    "tap_prefix",
]

DISK, DRIVE, MONITOR = "disk.qcow2", "d0", "qmp.sock"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
# Numbers of the buses that the PCI host bridges of NUMA nodes begin with: node 0 has 0000:41:00.0, 0000:42:00.0 ...
_BUSES = (0x40, 0x80, 0xC0, 0xE0)
_MIB = 1 << 20
_QEMU = "qemu-system-x86_64"
# Shows SMT. With instructions for AES and SHA, which are emulated one by one, digests take half the time, AES a sixth.
_EMULATED_CPU = "Nehalem,+aes,+pclmulqdq,+sha-ni"
PROBE_EXIT_CODE = 85  # (0x2a << 1) | 1


def emulator_command(tree: Path, program: str) -> list[str]:
    """Return the command line of a program of an unpacked Debian tree: with its own libraries, on any host."""
    libraries = tree / _LIBRARIES
    return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries), str(tree / "usr/bin" / program)]


def image_tool(made: Machine) -> list[str]:
    """Return the command line of the qemu-img that came with the QEMU of a guest.

    Raises:
        ValueError: the guest was not made by `machine`.
    """
    programs = [Path(word) for word in made.argv if word.endswith(f"/{_QEMU}")]
    if len(programs) != 1:
        raise ValueError(f"{made.name} is no guest of ours")
    return emulator_command(programs[0].parents[2], "qemu-img")


def _qemu(tree: Path) -> list[str]:
    """Return the beginning of QEMU's command line: root without any right beyond its own files, in a sandbox."""
    return [
        *("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
        *emulator_command(tree, _QEMU),
        *("-L", str(tree / "usr/share/seabios"), "-L", str(tree / "usr/share/qemu")),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-nodefaults", "-no-user-config", "-display", "none"),
    ]


def probe(tree: Path, boot_sector: Path) -> list[str]:
    """Return a command line that ends with PROBE_EXIT_CODE where KVM really runs a guest, one of that boot sector."""
    return [
        *_qemu(tree),
        *("-accel", "kvm", "-M", "q35", "-m", "64", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"),
        *("-drive", f"file={_plain(boot_sector)},if=none,id=d0,format=raw,readonly=on"),
        *("-device", "virtio-blk-pci,drive=d0,bootindex=0"),
    ]


def tap_prefix(lab: str) -> str:
    """Return what the names of a lab's TAP devices begin with."""
    return f"gt{_digest(lab)[:6]}"


def nics(lab: str, node: str, hardware: EmulatedNode) -> tuple[Nic, ...]:
    """Return the SR-IOV NICs of a node, in the order of NUMA nodes."""
    found: list[Nic] = []
    for numa_node in range(hardware.numa_nodes):
        for number in range(hardware.nics_per_numa_node):
            count = len(found) + 1
            found.append(Nic(_tap(lab, node, count), _mac(lab, node, count), numa_node, number))
    return tuple(found)


def _tap(lab: str, node: str, count: int) -> str:
    return f"{tap_prefix(lab)}{_digest(node)[:5]}{count:x}"


def _mac(lab: str, node: str, count: int) -> str:
    digest = _digest(f"{lab}/{node}/{count}")
    return ":".join(["02", *(digest[place : place + 2] for place in range(0, 10, 2))])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def machine(  # noqa: PLR0913 - the host, by name
    spec: LabSpec, node: LabNode, *, tree: Path, store: Path, accelerator: Accelerator, host_cpus: int
) -> Machine:
    """Return the guest of an emulated node.

    Args:
        spec: the lab.
        node: the node.
        tree: the unpacked emulator.
        store: the artifact store of the host.
        accelerator: what runs the guest's processor.
        host_cpus: the processors of the host that QEMU may use.

    Raises:
        ValueError: the node is a container.
    """
    if node.hardware is None:
        raise ValueError(f"{node.name} is no emulated node")
    cards = nics(spec.name, node.name, node.hardware)
    management = Nic(_tap(spec.name, node.name, 0), _mac(spec.name, node.name, 0), 0, 0)
    name = container_name(spec.name, node.name)
    argv = [
        *_qemu(tree),
        *("-name", name, "-qmp", f"unix:{MONITOR},server=on,wait=off", "-serial", "file:console.log"),
        *_processor(node.hardware, accelerator, host_cpus),
        *_iommu(node.hardware),
        *_disk(),
        *_management(management),
        *_buses(node.hardware),
        *(word for index, nic in enumerate(cards) for word in _nic(nic, index)),
        *_store(spec, store),
        *_identity(spec, node, management.mac),
    ]
    bridges = {management.tap: bridge_name(spec.name)} | {nic.tap: data_bridge_name(spec.name) for nic in cards}
    return Machine(name, str(node.address), made_of(spec, node, store), tuple(argv), bridges)


def _processor(hardware: EmulatedNode, accelerator: Accelerator, host_cpus: int) -> list[str]:
    tcg = accelerator == "tcg"
    sockets, nodes = hardware.sockets, hardware.numa_nodes
    cpus = sockets * hardware.cores * hardware.threads
    share = int(hardware.memory.amount) // _MIB // nodes
    # Virtual processors in threads of their own wait for locks whose holders have no processor of the host, when there
    # are too few: two guests of eight on a host of two install sooner in one thread each (docs/lab.md has figures).
    threads = "multi" if host_cpus >= cpus else "single"
    words = [
        *("-accel", f"tcg,thread={threads},tb-size=512" if tcg else "kvm", "-cpu", _EMULATED_CPU if tcg else "host"),
        # Devices that no node uses cost their drivers' time at every boot.
        *("-M", "q35,sata=off,smbus=off,i8042=off,vmport=off,hpet=off"),
        *("-m", f"{share * nodes}M"),
        "-smp",
        f"{cpus},sockets={sockets},cores={hardware.cores},threads={hardware.threads}",
    ]
    for number in range(nodes):
        words += ["-object", f"memory-backend-ram,id=m{number},size={share}M"]
        words += ["-numa", f"node,nodeid={number},memdev=m{number}"]
    for socket in range(sockets):
        words += ["-numa", f"cpu,node-id={socket * nodes // sockets},socket-id={socket}"]
    return words


def _iommu(hardware: EmulatedNode) -> list[str]:
    """Return the IOMMU, which must come before the devices behind it."""
    return ["-device", "intel-iommu,caching-mode=off,aw-bits=48"] if hardware.iommu else []


def _disk() -> list[str]:
    # A power cut of the node loses nothing that it wrote, one of the host may: labs do not outlive it anyway.
    return [
        *("-drive", f"file={DISK},if=none,id={DRIVE},format=qcow2,cache=unsafe,discard=unmap"),
        *("-device", f"virtio-blk-pci,drive={DRIVE},bus=pcie.0,addr=2,bootindex=0"),
        *("-device", "virtio-rng-pci,bus=pcie.0,addr=4"),
    ]


def _management(nic: Nic) -> list[str]:
    # The guest offers no offloads to its receiving side: the host's kernel then finishes every checksum itself. What
    # container nodes encapsulate (VXLAN) would otherwise arrive with the inner one unfinished, and be dropped.
    no_offloads = "guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off"
    return [
        *("-netdev", f"tap,id=mg,ifname={nic.tap},script=no,downscript=no"),
        *("-device", f"virtio-net-pci,netdev=mg,mac={nic.mac},bus=pcie.0,addr=3,romfile=,{no_offloads}"),
    ]


def _buses(hardware: EmulatedNode) -> list[str]:
    """Return a PCI host bridge for each NUMA node."""
    words = []
    for node in range(hardware.numa_nodes if hardware.nics_per_numa_node else 0):
        words += ["-device", f"pxb-pcie,id=pxb{node},bus_nr={_BUSES[node]},bus=pcie.0,addr={8 + node},numa_node={node}"]
    return words


def _nic(nic: Nic, index: int) -> list[str]:
    # Without hot plug a port has no slot number: the interface is named by its bus (enp65s0), as the PCI address shows.
    port = f"pcie-root-port,id=rp{index},bus=pxb{nic.numa_node},chassis={index + 1},addr={nic.number},hotplug=off"
    return [
        *("-netdev", f"tap,id=n{index},ifname={nic.tap},script=no,downscript=no"),
        *("-device", port, "-device", f"igb,id=pf{index},bus=rp{index},netdev=n{index},mac={nic.mac},romfile="),
    ]


def _store(spec: LabSpec, store: Path) -> list[str]:
    if spec.store_at is None:
        return []
    return [
        *("-fsdev", f"local,id=store,path={_plain(store)},security_model=none,readonly=on"),
        *("-device", "virtio-9p-pci,fsdev=store,mount_tag=store,bus=pcie.0,addr=5"),
    ]


def _identity(spec: LabSpec, node: LabNode, mac: str) -> list[str]:
    """Hand the guest what makes it this node, as systemd credentials; secrets by file, so that no argument has one."""
    network = (
        f"[Match]\nMACAddress={mac}\n[Network]\nAddress={node.address}/{spec.subnet.prefixlen}\n"
        f"Gateway={spec.gateway}\nLinkLocalAddressing=no\n"
    )
    # Nobody answers there, so that looking up a name fails at once instead of after a time-out.
    files = (
        f"f+ /etc/resolv.conf 0644 root root - nameserver {spec.gateway}\n"
        f"f+ /etc/hosts 0644 root root - 127.0.0.1 localhost\\n{node.address} {node.name}\\n\n"
    )
    texts = {"system.hostname": node.name, "network.network.10-lab": network, "tmpfiles.extra": files}
    if spec.store_at is not None:
        options = "ro,trans=virtio,version=9p2000.L,msize=524288,cache=loose,nofail,x-systemd.automount"
        texts["fstab.extra"] = f"store {spec.store_at} 9p {options} 0 0\n"
    words = []
    for name in ("ssh_host_ed25519_key", "authorized_keys"):
        words += ["-fw_cfg", f"name=opt/io.systemd.credentials/{name},file=ssh/{name}"]
    for name, text in texts.items():
        words += ["-fw_cfg", f"name=opt/io.systemd.credentials/{name},string={_plain(text)}"]
    return words


def _plain(value: str | Path) -> str:
    """Return a value as QEMU's option parser reads it back."""
    return str(value).replace(",", ",,")
