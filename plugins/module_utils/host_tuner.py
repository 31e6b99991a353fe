"""Interrupts, received packets and kernel settings of a host: how they are, and how to bring them to what is asked.

The module `host_tuning` uses this, and installs this very file as the program that a systemd unit runs:
`python3 gedge-tuning FILE` brings the host to what FILE says, and then places interrupts that come later: drivers ask
for new ones when an interface goes up, and when a virtual function appears or comes back from a pod. Everything is read
from and written to /proc and /sys (Linux kernel, Documentation/core-api/irq/irq-affinity.rst, networking/scaling.rst,
admin-guide/sysctl/kernel.rst, admin-guide/mm/transhuge.rst, admin-guide/pm/cpufreq.rst).
Standard library only, Python 3.8 and later.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import re
import socket
import sys
import time

DEVICES = "/sys/bus/pci/devices"
NETWORKS, NODES = "/sys/class/net", "/sys/devices/system/node"
IRQS, IRQ_NAMES = "/proc/irq", "/sys/kernel/irq"
UNITS, SLICES = "/etc/systemd/system", ("system.slice", "user.slice", "init.scope")
PATIENCE_S, STARTS_S, WATCH_S = 30, 5, 10
STAYING = "/run/gedge-irqs-that-stay.json"
SETTINGS = {
    "numa_balancing": "/proc/sys/kernel/numa_balancing",
    "transparent_hugepage": "/sys/kernel/mm/transparent_hugepage/enabled",
}
GOVERNORS = "/sys/devices/system/cpu/cpufreq/policy*/scaling_governor"


def drop_in(unit):
    """Return where our addition to a unit stands."""
    return os.path.join(UNITS, unit + ".d", "90-gedge.conf")


class TunerError(Exception):
    """What could not be set, with the remedy."""


class Knob:
    """A file of the kernel's that is to have a value.

    Attributes:
        path: the file.
        value: what it shall have: a list or mask of CPUs, or a word.
        kind: how values are compared: `list`, `mask`, `choice` (the one in brackets) or `word`.
        what: what it is about, in words that several files may share.
    """

    def __init__(self, path, value, kind, what):
        self.path, self.value, self.kind, self.what = path, value, kind, what

    def read(self):
        """Return what the file has, None where there is none."""
        try:
            with open(self.path, encoding="ascii", errors="replace") as file:
                return file.read().strip()
        except OSError:
            return None

    def differs(self):
        found = self.read()
        return found is not None and normal(found, self.kind) != normal(self.value, self.kind)

    def write(self, value=None):
        with open(self.path, "w", encoding="ascii") as file:
            file.write(self.value if value is None else value)


def normal(text, kind):
    """Return a value in a form in which equal ones are equal."""
    if kind == "list":
        return frozenset(parsed(text))
    if kind == "mask":
        return int(text.replace(",", "") or "0", 16)
    chosen = re.search(r"\[(\S+)\]", text) if kind == "choice" else None
    return chosen.group(1) if chosen else text


def parsed(text):
    """Return the CPUs of a list as the kernel prints it."""
    cpus = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def mask(cpus):
    """Return the mask of a list of CPUs, in groups of 32 bits."""
    bits = sum(1 << cpu for cpu in parsed(cpus))
    groups = []
    while bits or not groups:
        groups.insert(0, bits & 0xFFFFFFFF)
        bits >>= 32
    return ",".join(["%x" % groups[0], *("%08x" % group for group in groups[1:])])


def knobs(wanted):
    """Return everything that is asked for and that this host has.

    Args:
        wanted: irq_cpus, device_cpus (by PCI address), rps_cpus (by interface): lists of CPUs, empty for as it is;
            settings (by name).
    """
    found = list(interrupt_knobs(wanted)) if wanted.get("irq_cpus") else []
    for interface, cpus in sorted(wanted.get("rps_cpus", {}).items()):
        for path in sorted(glob.glob(os.path.join(NETWORKS, interface, "queues/rx-*/rps_cpus"))):
            found.append(Knob(path, mask(cpus), "mask", "packets of %s on CPUs %s" % (interface, cpus)))
    for name, value in sorted(wanted.get("settings", {}).items()):
        if name == "governor":
            found += [Knob(path, value, "word", "governor=%s" % value) for path in governors(value)]
        else:
            kind = "choice" if name == "transparent_hugepage" else "word"
            found.append(Knob(SETTINGS[name], value, kind, "%s=%s" % (name, value)))
    return [knob for knob in found if knob.read() is not None]


def governors(value):
    """Return the files of CPUs that have this governor."""
    found = []
    for path in sorted(glob.glob(GOVERNORS)):
        offered = Knob(os.path.join(os.path.dirname(path), "scaling_available_governors"), "", "word", "").read()
        if value in (offered or "").split():
            found.append(path)
    return found


def interrupt_knobs(wanted):
    """Yield where interrupts go by default, and each that somebody takes; those that the kernel alone places stay."""
    everywhere = wanted["irq_cpus"]
    yield Knob(
        os.path.join(IRQS, "default_smp_affinity"), mask(everywhere), "mask", "interrupts on CPUs %s" % everywhere
    )
    near = {
        os.path.basename(path): (cpus, address)
        for address, cpus in wanted.get("device_cpus", {}).items()
        for part in ("", "virtfn*")  # its virtual functions are of its NUMA node
        for path in glob.glob(os.path.join(DEVICES, address, part, "msi_irqs/*"))
    }
    staying = irqs_that_stay()
    for path in sorted(glob.glob(os.path.join(IRQS, "[0-9]*"))):
        number = os.path.basename(path)
        taken = Knob(os.path.join(IRQ_NAMES, number, "actions"), "", "word", "").read()
        file = os.path.join(path, "smp_affinity_list")
        if not taken or number in staying or not writable(file):
            continue
        cpus, device = near.get(number, (everywhere, ""))
        yield Knob(file, cpus, "list", "interrupts%s on CPUs %s" % (" of " + device if device else "", cpus))


def writable(path):
    """Tell whether a file has the right to be written; root's own rights say nothing about it."""
    try:
        return bool(os.stat(path).st_mode & 0o200)
    except OSError:
        return False


def irqs_that_stay():
    """Return the interrupts that refused to be placed since the host has booted."""
    try:
        with open(STAYING, encoding="ascii") as file:
            return set(json.load(file))
    except (OSError, ValueError):
        return set()


def differing(wanted):
    """Return what differs."""
    return [knob for knob in knobs(wanted) if knob.differs()]


def bring(wanted, remember=None):
    """Bring the host to what is asked for.

    While a host boots, drivers may make queues and interrupts anew after they were set: it is tried again for a while.

    Args:
        wanted: as `knobs` takes it.
        remember: is called with what is about to be written.

    Raises:
        TunerError: something does not take its value.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        due = differing(wanted)
        if remember:
            remember(due)
        failures = write_all(due)
        wrong = ["%s is %s, asked for is %s" % (knob.path, knob.read(), knob.value) for knob in differing(wanted)]
        if not (failures or wrong):
            return
        if time.monotonic() > deadline:
            raise TunerError("%s -> the kernel's log says why: journalctl -k" % "; ".join((failures or wrong)[:5]))
        time.sleep(1)


def write_all(due):
    """Write values; return what cannot be written. Interrupts that refuse are left alone until the next boot."""
    staying, failures = irqs_that_stay(), []
    known = len(staying)
    for knob in due:
        try:
            knob.write()
        except OSError as error:
            if error.errno == errno.ENOENT:
                continue  # it went meanwhile, as an interrupt of a function that a pod gets or gives back
            if knob.kind == "list":  # an interrupt of which the kernel, or its controller, decides
                staying.add(os.path.basename(os.path.dirname(knob.path)))
            else:
                failures.append("%s cannot be set to %s (%s)" % (knob.path, knob.value, error.strerror))
    if len(staying) > known:
        with open(STAYING, "w", encoding="ascii") as file:
            json.dump(sorted(staying), file)
    return failures


def put_back(former):
    """Bring files back to what they had; those that are gone, or do not take it any more, stay.

    Args:
        former: (value, kind) by path.
    """
    for path, (value, kind) in sorted(with_later_interrupts(former).items()):
        knob = Knob(path, normal(value, "choice") if kind == "choice" else value, kind, "")
        if knob.differs():
            with contextlib.suppress(OSError):
                knob.write()


def with_later_interrupts(former):
    """Add the interrupts that came after us: without us they would be where the kernel puts them by default.

    That is on the default CPUs, of its NUMA node where it has one (irq_setup_affinity in kernel/irq/manage.c).
    """
    default = former.get(os.path.join(IRQS, "default_smp_affinity"))
    if default is None:
        return former
    bits = int(default[0].replace(",", ""), 16)
    everywhere = {cpu for cpu in range(bits.bit_length()) if bits >> cpu & 1}
    later = {}
    for knob in interrupt_knobs({"irq_cpus": "0"}):
        if knob.kind == "list" and knob.path not in former:
            node = Knob(os.path.join(os.path.dirname(knob.path), "node"), "", "word", "").read()
            near = parsed(Knob(os.path.join(NODES, "node%s/cpulist" % node), "", "word", "").read() or "")
            later[knob.path] = (",".join(map(str, sorted(everywhere & near or everywhere))), "list")
    return dict(later, **former)


def limit(module, unit, cpus):
    """Limit a slice or scope to CPUs, or lift the limit, at once; what is to hold at boots stands in a drop-in."""
    module.run_command(["systemctl", "set-property", "--runtime", unit, "AllowedCPUs=%s" % cpus], check_rc=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink("/run/systemd/system.control/%s.d/50-AllowedCPUs.conf" % unit)


def await_interfaces(names):
    """Wait a while until udev has named the interfaces; one may be in a pod."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and not all(os.path.exists(os.path.join(NETWORKS, name)) for name in names):
        time.sleep(0.5)


def main(path):
    """Bring the host to what a file says, while it boots: twice, since drivers that start late undo some of it.

    Then interrupts and the queues of packets that are new are placed, for as long as the host runs.
    """
    wanted = read_wanted(path)
    await_interfaces(wanted.get("rps_cpus", {}))
    try:
        bring(wanted)
        tell_systemd("READY=1")
        time.sleep(STARTS_S)
        bring(wanted)
    except TunerError as error:
        sys.stderr.write("%s\n" % error)
        return 1
    while True:
        time.sleep(WATCH_S)
        with contextlib.suppress(OSError, ValueError):  # something that has just gone
            place_new(read_wanted(path))


def read_wanted(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def place_new(wanted):
    """Place interrupts and queues of packets that are not where they are to be; settings stay as somebody has them."""
    write_all(differing(dict(wanted, settings={})))


def tell_systemd(words):
    """Tell how we are (sd_notify(3)), where it is systemd that has started us."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
            door.connect("\0" + address[1:] if address.startswith("@") else address)
            door.sendall(words.encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
