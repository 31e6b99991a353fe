"""Virtual functions of network cards: how they are, and how to bring them to what is asked.

The module `sriov` uses this, and installs this very file as the program that a systemd unit runs at every boot:
`python3 gedge-sriov FILE` brings the physical functions of FILE to what it says. Everything is read from and written to
sysfs and `ip` (Linux kernel, Documentation/PCI/pci-iov-howto.rst; iproute2, ip-link(8)).
Standard library only, Python 3.8 and later.
"""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
import time

DEVICES = "/sys/bus/pci/devices"
DRIVERS, PROBE = "/sys/bus/pci/drivers", "/sys/bus/pci/drivers_probe"
NETWORKS = "/sys/class/net"
VFIO = "vfio-pci"
NETWORK_CLASS = "0x02"
PATIENCE_S = 120
NAMED_S = 10
MAC_TRIES = 3


class FunctionError(Exception):
    """What could not be done, with the remedy."""


def read(*path):
    """Return a file of sysfs without its line end, empty where there is none."""
    try:
        with open(os.path.join(*path), encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def write(value, *path):
    """Write a value to a file of sysfs."""
    name = os.path.join(*path)
    try:
        with open(name, "w", encoding="ascii") as file:
            file.write(str(value))
    except OSError as error:
        raise FunctionError(
            "%s cannot be set to %s (%s) -> the kernel's log says why: journalctl -k" % (name, value, error.strerror)
        ) from None


def link(*path):
    """Return the last part of where a symbolic link leads, empty where there is none."""
    try:
        return os.path.basename(os.readlink(os.path.join(*path)))
    except OSError:
        return ""


def interface_of(address):
    """Return the interface of a PCI function; empty when it has none, or another network namespace has it."""
    names = sorted(os.path.basename(path) for path in glob.glob(os.path.join(DEVICES, address, "net", "*")))
    return names[0] if names else ""


def physical_functions():
    """Return the network cards of this host that can have virtual functions, by PCI address."""
    found = {}
    for folder in sorted(glob.glob(os.path.join(DEVICES, "*"))):
        if read(folder, "class").startswith(NETWORK_CLASS) and int(read(folder, "sriov_totalvfs") or 0) > 0:
            address = os.path.basename(folder)
            found[address] = physical_function(address)
    return found


def physical_function(address):
    """Return what is known of a physical function without asking `ip`."""
    folder = os.path.join(DEVICES, address)
    interface = interface_of(address)
    return {
        "address": address,
        "interface": interface,
        "vendor": read(folder, "vendor")[2:],
        "device": read(folder, "device")[2:],
        "driver": link(folder, "driver"),
        "numa_node": int(read(folder, "numa_node") or -1),
        "total_vfs": int(read(folder, "sriov_totalvfs") or 0),
        "vfs": int(read(folder, "sriov_numvfs") or 0),
        "autoprobe": read(folder, "sriov_drivers_autoprobe") or "1",
        "mtu": int(read(NETWORKS, interface, "mtu") or 0) if interface else 0,
        "up": bool(int(read(NETWORKS, interface, "flags") or "0x0", 16) & 1) if interface else False,
        "iommu": bool(link(folder, "iommu_group")),
    }


def functions_of(address):
    """Return the PCI addresses of a physical function's virtual functions, in the order of their numbers."""
    links = glob.glob(os.path.join(DEVICES, address, "virtfn*"))
    return [link(path) for path in sorted(links, key=lambda path: int(path.rpartition("virtfn")[2]))]


def driver_of(address):
    """Return the driver of a PCI function, empty when it has none."""
    return link(DEVICES, address, "driver")


def ip(*words):
    """Run `ip` and return what it prints."""
    done = subprocess.run(["ip", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise FunctionError(
            "ip %s: %s -> the driver of the card may not support this setting" % (" ".join(words), done.stderr.strip())
        )
    return done.stdout


def settings_of(interface):
    """Return how the virtual functions of an interface are set, as `ip` prints it (vfinfo_list), by number."""
    return {entry["vf"]: entry for entry in details_of(interface).get("vfinfo_list", [])}


def largest_mtu(interface):
    """Return the largest MTU that an interface takes, 0 when it does not tell."""
    return int(details_of(interface).get("max_mtu", 0))


def details_of(interface):
    """Return what `ip` tells of an interface; nothing where it prints nothing."""
    words = ("-json", "-details", "link", "show", "dev", interface)
    printed = ip(*words).strip()
    try:
        found = json.loads(printed or "[]")
    except ValueError:
        raise FunctionError(
            "`ip %s` prints no JSON: %s -> run it on this host; a wrapper of the program, or an old one, is in the way"
            % (" ".join(words), printed[:300])
        ) from None
    return found[0] if found else {}


def vlan_of(setting):
    """Return the VLAN id of a virtual function's settings, 0 for none; versions of `ip` write it differently."""
    entries = setting.get("vlan_list") or [setting]
    return int(entries[0].get("vlan", 0) or 0)


def differing_settings(setting, wanted):
    """Return the arguments of `ip link set ... vf` that a virtual function's settings lack."""
    words = []
    if wanted.get("mac") and setting.get("address", "").lower() != wanted["mac"]:
        words += ["mac", wanted["mac"]]
    if vlan_of(setting) != wanted["vlan"]:
        words += ["vlan", str(wanted["vlan"])]
    for key, word in (("spoof_check", "spoofchk"), ("trust", "trust")):
        have = setting.get(word)
        if wanted.get(key) is not None and have is not None and have != wanted[key]:
            words += [word, "on" if wanted[key] else "off"]
    return words


def differences(pf, wanted, in_use):
    """Return what of a physical function differs from what is wanted, as (what, value) in the order of the work.

    Settings of virtual functions that pods have now are theirs: the SR-IOV CNI sets them and sets them back.
    """
    found = [] if pf["up"] else [("link", "up")]
    if wanted["mtu"] and pf["mtu"] != wanted["mtu"]:
        found.append(("mtu", wanted["mtu"]))
    if pf["vfs"] != len(wanted["functions"]):
        return [*found, ("vfs", len(wanted["functions"]))]
    settings = settings_of(pf["interface"]) if pf["interface"] else {}
    for number, address in enumerate(functions_of(pf["address"])):
        function = wanted["functions"][number]
        if address in in_use:
            continue
        words = differing_settings(settings.get(number, {}), function) if settings else []
        found += [("vf %d %s" % (number, words[place]), words[place + 1]) for place in range(0, len(words), 2)]
        if not is_bound(address, wanted["device_type"]):
            found.append(("vf %d driver" % number, wanted["device_type"]))
    return found


def bring(wanted, in_use=()):
    """Bring a physical function to what is wanted; what is right already is not touched.

    Nor are virtual functions that pods have: `in_use` names them by PCI address.
    """
    pf = wait_for_card(wanted)
    interface, address = pf["interface"], pf["address"]
    if not pf["up"]:
        ip("link", "set", "dev", interface, "up")
    if wanted["mtu"] and pf["mtu"] != wanted["mtu"]:
        ip("link", "set", "dev", interface, "mtu", str(wanted["mtu"]))
    try:
        if pf["vfs"] != len(wanted["functions"]):
            set_number(address, len(wanted["functions"]))
        free = set_up(interface, wanted, in_use)
    finally:
        if read(DEVICES, address, "sriov_drivers_autoprobe") == "0":
            write(1, DEVICES, address, "sriov_drivers_autoprobe")
    for number, found in free:
        bind(found, wanted["device_type"])
        if wanted["device_type"] != VFIO:
            finish_interface(interface, number, found, wanted)


def set_up(interface, wanted, in_use):
    """Give virtual functions the settings that they lack; return the numbers and addresses of those that no pod has."""
    settings = settings_of(interface)
    free = [(number, found) for number, found in enumerate(functions_of(wanted["address"])) if found not in in_use]
    for number, _ in free:
        words = differing_settings(settings.get(number, {}), wanted["functions"][number])
        for place in range(0, len(words), 2):
            ip("link", "set", "dev", interface, "vf", str(number), words[place], words[place + 1])
    return free


def wait_for_card(wanted):
    """Wait until a card and its interface are there: at boot, drivers come later than units.

    So does the name that udev gives: the kernel's own (eth0) is gone a moment after it was read.
    """
    address = wanted["address"]
    deadline = time.monotonic() + PATIENCE_S
    while True:
        name = interface_of(address)
        if name:
            subprocess.run(["udevadm", "settle", "--timeout=60"], check=False)
        pf = physical_function(address)
        if name and pf["interface"] == name and pf["total_vfs"]:
            return pf
        if time.monotonic() > deadline:
            raise FunctionError(
                "no card with an interface and virtual functions at %s -> lspci -s %s -k shows what is there"
                % (address, address)
            )
        time.sleep(0.2)


def set_number(address, number):
    """Make a number of virtual functions, without drivers: those must find the settings that each is to have.

    The kernel takes a new number only when there are none. Drivers stay away until somebody lets them in: udev loads
    the module of new functions beside us, and it would take all of them at once.
    """
    folder = os.path.join(DEVICES, address)
    if int(read(folder, "sriov_numvfs") or 0):
        write(0, folder, "sriov_numvfs")
    if number:
        write(0, folder, "sriov_drivers_autoprobe")
        write(number, folder, "sriov_numvfs")
    found = len(functions_of(address))
    if found != number:
        raise FunctionError("%s has %d virtual functions instead of %d -> journalctl -k" % (address, found, number))


def bind(address, device_type):
    """Give a virtual function the driver that its type asks for."""
    folder = os.path.join(DEVICES, address)
    if is_bound(address, device_type):
        return
    if device_type == VFIO:
        load(VFIO)
        write(VFIO, folder, "driver_override")
    else:
        write("\n", folder, "driver_override")
        subprocess.run(["modprobe", "--quiet", read(folder, "modalias")], stderr=subprocess.DEVNULL, check=False)
    # Twice: udev, which loads the driver of new functions beside us, may be the first to give it to this one.
    for _ in range(2):
        if is_bound(address, device_type):
            return
        if driver_of(address):
            write(address, folder, "driver", "unbind")
        write(address, PROBE)
    if not is_bound(address, device_type):
        raise FunctionError(
            "no driver took the virtual function %s -> load its driver (modprobe), or look whether it is blocked in "
            "/etc/modprobe.d" % address
        )


def is_bound(address, device_type):
    """Tell whether a virtual function has a driver of the kind that its type asks for."""
    have = driver_of(address)
    return bool(have) and (have == VFIO) == (device_type == VFIO)


def loaded_modules():
    """Return the names of the kernel's loaded modules."""
    return sorted(line.split()[0] for line in read("/proc/modules").splitlines())


def load(module):
    """Load a kernel module; one that is built in is there."""
    subprocess.run(["modprobe", module], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if not os.path.isdir(os.path.join(DRIVERS, module)):
        raise FunctionError("the kernel has no driver %s -> install the kernel package that carries it" % module)


def finish_interface(interface, number, address, wanted):
    """Let a virtual function's interface take the MAC address and MTU that it shall have."""
    name, mac = wait_for_interface(address), wanted["functions"][number].get("mac")
    tries = 0
    while mac and read(NETWORKS, name, "address") != mac:
        if tries == MAC_TRIES:
            raise FunctionError(
                "%s of %s does not take the address %s -> journalctl -k says why" % (name, address, mac)
            )
        tries += 1
        # A driver reads the address that the physical function gives when it is bound; one that found none, or no
        # answer in time, made one up, and that of a trusted function counts.
        driver = os.path.join(DRIVERS, driver_of(address))
        write(address, driver, "unbind")
        ip("link", "set", "dev", interface, "vf", str(number), "mac", mac)
        write(address, driver, "bind")
        name = wait_for_interface(address)
    mtu = wanted["mtu"]
    if mtu and int(read(NETWORKS, name, "mtu") or 0) != mtu:
        ip("link", "set", "dev", name, "mtu", str(mtu))


def wait_for_interface(address):
    """Return the name of a virtual function's interface as soon as udev has settled it."""
    deadline = time.monotonic() + NAMED_S
    while time.monotonic() < deadline:
        name = interface_of(address)
        if name:
            subprocess.run(["udevadm", "settle", "--timeout=10"], check=False)
            return interface_of(address) or name
        time.sleep(0.1)
    raise FunctionError(
        "the driver %s made no interface for the virtual function %s -> journalctl -k says why"
        % (driver_of(address), address)
    )


def put_back(former, modules):
    """Bring a physical function back to what it was before us.

    Args:
        former: address, vfs, mtu, up, autoprobe, and settings (of virtual functions that were there, by number).
        modules: names of the kernel modules that were loaded then; drivers of virtual functions that were not go.
    """
    address = former["address"]
    folder = os.path.join(DEVICES, address)
    if not os.path.isdir(folder):
        return
    drivers = {driver_of(function) for function in functions_of(address)}
    if int(read(folder, "sriov_numvfs") or 0):
        write(0, folder, "sriov_numvfs")
    unload(drivers, modules)
    if os.path.exists(os.path.join(folder, "sriov_drivers_autoprobe")):
        write(former["autoprobe"], folder, "sriov_drivers_autoprobe")
    interface = interface_of(address)
    if interface and former["mtu"] and int(read(NETWORKS, interface, "mtu") or 0) != former["mtu"]:
        ip("link", "set", "dev", interface, "mtu", str(former["mtu"]))
    if former["vfs"]:
        write(former["vfs"], folder, "sriov_numvfs")
        put_settings_back(interface, former.get("settings", {}))
    if interface and not former["up"]:
        ip("link", "set", "dev", interface, "down")


def unload(drivers, kept):
    """Unload modules of drivers but for those to be kept; one that another card needs stays loaded."""
    for driver in sorted(drivers - {""}):
        module = link(DRIVERS, driver, "module")
        if module and module not in kept:
            subprocess.run(["modprobe", "--remove", "--quiet", module], stderr=subprocess.DEVNULL, check=False)


def put_settings_back(interface, settings):
    for number, setting in sorted(settings.items()):
        words = ["mac", setting["address"], "vlan", str(vlan_of(setting))]
        for word in ("spoofchk", "trust"):
            words += [word, "on" if setting[word] else "off"] if word in setting else []
        for place in range(0, len(words), 2):
            ip("link", "set", "dev", interface, "vf", str(number), words[place], words[place + 1])


def main(path):
    """Bring all physical functions of a file to what it says; one that fails does not keep the others from it."""
    with open(path, encoding="utf-8") as file:
        wanted = json.load(file)
    failures = []
    for pf in wanted["physical_functions"]:
        try:
            bring(pf)
        except FunctionError as error:
            failures.append(str(error))
    sys.stderr.writelines(failure + "\n" for failure in failures)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
