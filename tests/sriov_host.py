"""A host with SR-IOV cards for tests: its sysfs as files, a kernel that acts on what is written, programs on PATH.

Shape and names are those of an emulated node (QEMU's igb, driver igbvf): a card on each of two NUMA nodes. What stands
for others is the kernel, `ip` and the programs of the host; our own code runs as it is.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DRIVER_OF = {"8086:10ca": "igbvf"}
# Every call of it is a start of Python: without site-packages and pathlib that takes half the time.
IP = """#!{python} -IS
import json, sys
root = {root!r}
words = sys.argv[1:]
networks, state = root + "/sys/class/net/", root + "/ip.json"
def read(path):
    with open(path) as file:
        return file.read()
def write(path, text, mode="w"):
    with open(path, mode) as file:
        file.write(text)
functions = json.loads(read(state))
if "address" in words and "show" not in words:
    print(read(root + "/addresses.json"))
elif "route" in words:
    print(read(root + ("/routes.json" if "default" in words else "/all_routes.json")))
elif "show" in words:
    name = words[-1]
    known = [entry | {{"vf": number}} for number, entry in enumerate(functions.get(name, []))]
    print(json.dumps([{{"ifname": name, "max_mtu": 9216, "vfinfo_list": known}}]))
else:  # link set dev NAME ...
    name, rest = words[3], words[4:]
    if rest[0] == "vf":
        entry = functions[name][int(rest[1])]
        write(root + "/autoprobe.log", read(networks + name + "/device/sriov_drivers_autoprobe").strip() + " ", "a")
        key, value = rest[2], rest[3]
        if key == "mac":
            entry["address"] = value
        elif key == "vlan":
            entry["vlan_list"] = [{{"vlan": int(value)}}] if int(value) else []
        else:
            entry[key] = value == "on"
        write(state, json.dumps(functions))
    elif rest[0] == "mtu":
        write(networks + name + "/mtu", rest[1])
    else:
        write(networks + name + "/flags", "0x1003" if rest[0] == "up" else "0x1002")
"""


@dataclass
class Host:
    """The tree below a folder."""

    root: Path
    written: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("igb", "igbvf", "virtio-pci"):
            self.driver(name)
        self.networks.mkdir(parents=True)
        self.devices.mkdir(parents=True)
        self.card("0000:00:03.0", "ens3", driver="virtio-pci", total=0)
        self.card("0000:41:00.0", "enp65s0", numa=0)
        self.card("0000:81:00.0", "enp129s0", numa=1)
        (self.root / "ip.json").write_text("{}")
        (self.root / "routes.json").write_text('[{"dst": "default", "dev": "ens3"}]')
        (self.root / "all_routes.json").write_text(
            '[{"dst": "default", "dev": "ens3"}, {"dst": "192.0.2.0/24", "dev": "ens3"}]'
        )
        (self.root / "addresses.json").write_text(
            '[{"ifname": "lo"}, {"ifname": "ens3", "addr_info": [{"local": "192.0.2.21"}]}]'
        )
        self.program("ip", IP.format(python=sys.executable, root=str(self.root)))
        self.program("systemctl", f'#!/bin/sh\necho "$@" >> {self.root}/systemctl.log\n')
        self.program("udevadm", "#!/bin/sh\n")
        drivers = self.root / "sys/bus/pci/drivers"
        self.program(
            "modprobe", f'#!/bin/sh\ncase "$*" in *dry-run*);; *vfio-pci*) mkdir -p {drivers}/vfio-pci;; esac\n'
        )

    @property
    def devices(self) -> Path:
        return self.root / "sys/bus/pci/devices"

    @property
    def networks(self) -> Path:
        return self.root / "sys/class/net"

    @property
    def programs(self) -> Path:
        return self.root / "bin"

    def program(self, name: str, text: str) -> None:
        self.programs.mkdir(exist_ok=True)
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def driver(self, name: str) -> Path:
        folder = self.root / "sys/bus/pci/drivers" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def card(self, address: str, interface: str, *, driver: str = "igb", numa: int = -1, total: int = 7) -> Path:
        folder = self.device(address, "8086", "10c9", numa)
        if total:
            (folder / "sriov_totalvfs").write_text(f"{total}\n")
            (folder / "sriov_numvfs").write_text("0\n")
            (folder / "sriov_drivers_autoprobe").write_text("1\n")
        self.bind(address, driver)
        self.interface(address, interface)
        return folder

    def device(self, address: str, vendor: str, device: str, numa: int) -> Path:
        folder = self.devices / address
        folder.mkdir()
        for name, value in (
            ("class", "0x020000"),
            ("vendor", f"0x{vendor}"),
            ("device", f"0x{device}"),
            ("numa_node", numa),
        ):
            (folder / name).write_text(f"{value}\n")
        return folder

    def interface(self, address: str, name: str, mac: str = "52:54:00:e0:00:10") -> None:
        folder = self.networks / name
        folder.mkdir()
        for key, value in (("mtu", "1500"), ("flags", "0x1003"), ("carrier", "1"), ("address", mac)):
            (folder / key).write_text(f"{value}\n")
        (folder / "device").symlink_to(self.devices / address)
        (self.devices / address / "net" / name).mkdir(parents=True)

    def bind(self, address: str, driver: str) -> None:
        (self.devices / address / "driver").symlink_to(self.driver(driver))

    def unbind(self, address: str) -> None:
        folder = self.devices / address
        (folder / "driver").unlink()
        for name in [path.name for path in (folder / "net").glob("*")]:
            shutil.rmtree(self.networks / name)
        shutil.rmtree(folder / "net", ignore_errors=True)

    def iommu(self, address: str) -> None:
        (self.devices / address / "iommu_group").symlink_to("../../../kernel/iommu_groups/7")

    def into_a_namespace(self, address: str) -> None:
        """Let a function's interface move into another network namespace."""
        folder = self.devices / address / "net"
        for name in [path.name for path in folder.glob("*")]:
            shutil.rmtree(self.networks / name)
        shutil.rmtree(folder)

    def given(self, address: str, uid: str, pod: str) -> None:
        """Let the kubelet note that a pod has a function."""
        space, _, name = pod.partition("/")
        (self.root / "pods" / uid).mkdir(parents=True)
        (self.root / "logs" / f"{space}_{name}_{uid}").mkdir(parents=True)
        entry = {"PodUID": uid, "DeviceIDs": {"0": [address]}}
        (self.root / "checkpoint").write_text(json.dumps({"Data": {"PodDeviceEntries": [entry]}}))

    def write(self, value: object, *path: str) -> None:
        """Do what the kernel does when something is written to its sysfs."""
        text, place = str(value), Path(*path)
        self.written.append((str(place.relative_to(self.root / "sys")), text.strip()))
        if place.name == "drivers_probe":
            self.probe(text)
        elif place.name == "unbind":
            self.unbind(text)
        elif place.name == "bind":
            self.bound(text, place.parent.name)
        else:
            if place.name == "sriov_numvfs":
                self.set_number(place.parent, int(text))
            place.write_text(text.strip())

    def set_number(self, card: Path, number: int) -> None:
        if number and int((card / "sriov_numvfs").read_text()):
            raise OSError("Device or resource busy")
        for path in card.glob("virtfn*"):
            address = path.resolve().name
            if (self.devices / address / "driver").is_symlink():
                self.unbind(address)
            shutil.rmtree(self.devices / address)
            path.unlink()
        state = json.loads((self.root / "ip.json").read_text())
        (interface,) = [path.name for path in (card / "net").glob("*")]
        fresh = {"address": "00:00:00:00:00:00", "vlan_list": [], "spoofchk": True, "trust": False}
        state[interface] = [dict(fresh) for _ in range(number)]
        (self.root / "ip.json").write_text(json.dumps(state))
        numa = int((card / "numa_node").read_text())
        for index in range(number):
            # Offset 128 and stride 2, as the 82576 has them.
            address = f"{card.name[:-4]}{16 + index // 4:02x}.{index % 4 * 2}"
            self.device(address, "8086", "10ca", numa)
            (self.devices / address / "physfn").symlink_to(card)
            (card / f"virtfn{index}").symlink_to(self.devices / address)
            if (card / "sriov_drivers_autoprobe").read_text().strip() == "1":
                self.probe(address)

    def probe(self, address: str) -> None:
        override = self.devices / address / "driver_override"
        wanted = override.read_text().strip() if override.is_file() else ""
        physical = self.devices / address / "physfn"
        allowed = not physical.exists() or (physical / "sriov_drivers_autoprobe").read_text().strip() == "1"
        if not (self.devices / address / "driver").is_symlink() and (wanted or allowed):
            self.bound(address, wanted or DRIVER_OF["8086:10ca"])

    def bound(self, address: str, driver: str) -> None:
        self.bind(address, driver)
        if driver == "vfio-pci":
            return
        card = (self.devices / address / "physfn").resolve()
        numbers = {path.resolve().name: int(path.name[6:]) for path in card.glob("virtfn*")}
        (interface,) = [path.name for path in (card / "net").glob("*")]
        # Before its link is there, a function that is being made has the last number.
        number = numbers.get(address, len(numbers))
        mac = json.loads((self.root / "ip.json").read_text())[interface][number]["address"]
        self.interface(address, f"{interface}v{number}", mac)

    def settings(self, interface: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.root / "ip.json").read_text())[interface]
        return found

    def snapshot(self) -> dict[str, str]:
        """Return everything below sysfs: files with their content, links with their targets."""
        found = {}
        for folder, folders, names in os.walk(self.root / "sys"):
            for name in [*folders, *names]:
                path = Path(folder) / name
                kind = (
                    f"-> {path.readlink()}" if path.is_symlink() else path.read_text() if path.is_file() else "folder"
                )
                found[str(path.relative_to(self.root))] = kind.strip()
        return found
