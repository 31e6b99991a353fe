"""Huge pages that are set aside while a host runs, by NUMA node: how many there are, and how to come to what is asked.

The module `huge_pages` uses this, and installs this very file as the program that a systemd unit runs at every boot,
before the kubelet starts: `python3 gedge-huge-pages FILE` sets aside what FILE says.
(Linux kernel, Documentation/admin-guide/mm/hugetlbpage.rst.)
Standard library only, Python 3.8 and later.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time

NODES, ALL = "/sys/devices/system/node", "/sys/kernel/mm/hugepages"
COMPACT = "/proc/sys/vm/compact_memory"
NOTED = "/run/gedge-huge-pages.json"
"""What this boot began with, and when we changed it last; gone with the boot, as the pages are."""
UNITS = ((1048576, "Gi"), (1024, "Mi"), (1, "Ki"))


class PagesError(Exception):
    """What the kernel does not give, with the remedy."""


def targets(pages):
    """Return how many pages each file of the kernel's is to say: those asked for, else what this boot began with.

    Args:
        pages: numbers of pages by NUMA node and size in KiB; keys may be text, as in JSON.
    """
    wanted = {path_of(node, size): int(count) for node, sizes in pages.items() for size, count in sizes.items()}
    return dict(noted()["found"], **wanted)


def path_of(node, size):
    """Return the file with the number of pages; a kernel that knows no NUMA nodes has one for all memory."""
    folder = os.path.join(NODES, "node%s" % node, "hugepages") if os.path.isdir(NODES) else ALL
    return os.path.join(folder, "hugepages-%skB" % size, "nr_hugepages")


def spoken(path):
    """Return the size and the place of pages in words."""
    parts = path.split("/")
    kib = int(parts[-2].split("-")[1][:-2])
    size = next("%d%s" % (kib // unit, name) for unit, name in UNITS if kib % unit == 0)
    return "%s on NUMA node %s" % (size, parts[-4][4:] if path.startswith(NODES) else "0")


def read(path):
    """Return how many pages there are, None where the kernel has none of this size or no such node."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except OSError:
        return None


def differing(wanted):
    """Return (path, number there is, number asked for) of what differs; where pages become fewer first."""
    found = [(path, read(path), count) for path, count in sorted(wanted.items())]
    return sorted((one for one in found if one[1] != one[2]), key=lambda one: (one[1] or 0) < one[2])


def noted():
    """Return what is noted of this boot: found (numbers by path), changed_at (seconds of the monotonic clock)."""
    try:
        with open(NOTED, encoding="ascii") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {"found": {}, "changed_at": 0}


def note(paths, changed_at=None):
    """Note what files say before we change them the first time since the boot, and when that is."""
    record = noted()
    found = {path: read(path) for path in paths}
    record["found"] = dict({path: count for path, count in found.items() if count is not None}, **record["found"])
    if changed_at is not None:
        record["changed_at"] = changed_at
    temporary = NOTED + ".new"
    with open(temporary, "w", encoding="ascii") as file:
        json.dump(record, file)
    os.rename(temporary, NOTED)


def forget():
    """Forget what was noted."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(NOTED)


def set_aside(wanted):
    """Bring the numbers of pages to what is asked for, and note when that was.

    Raises:
        PagesError: the kernel does not give, or does not take back, all of them; all is as it was then.
    """
    due = differing(wanted)
    for path, found, _ in due:
        if found is None:
            size, _, place = spoken(path).partition(" ")
            raise PagesError("this host has no huge pages of %s %s -> ask for another size or node" % (size, place))
    before = noted()["changed_at"]
    note([path for path, _, _ in due], time.monotonic())
    write(due)
    left = differing(wanted)
    if left:  # memory in pieces is put together, and it is asked once more
        with contextlib.suppress(OSError), open(COMPACT, "w", encoding="ascii") as file:
            file.write("1")
        write(left)
        left = differing(wanted)
    if left:
        write([(path, None, found) for path, found, _ in reversed(due)])
        note([], before)
        raise PagesError("; ".join(refusal(*one) for one in left) + remedy(left))


def write(due):
    for path, _, count in due:
        with contextlib.suppress(OSError), open(path, "w", encoding="ascii") as file:
            file.write(str(count))


def refusal(path, found, asked):
    """Say what the kernel made of a number."""
    if found < asked:
        return "asked for %d huge pages of %s, the kernel gave %d" % (asked, spoken(path), found)
    return "%d huge pages of %s are in use, and %d are to stay" % (found, spoken(path), asked)


def remedy(left):
    short = any(found < asked for _, found, asked in left)
    end = "ask for fewer, or set them aside at boot (at: boot)" if short else "end what uses them, or drain the node"
    return "; the former numbers are back -> %s" % end


def main(path):
    """Set pages aside while the host boots; what the kernel cannot give is told, what it gives stays."""
    with open(path, encoding="utf-8") as file:
        wanted = targets(json.load(file))
    note(wanted)
    write(differing(wanted))
    left = differing(wanted)
    for one in left:
        sys.stderr.write("asked for %d huge pages of %s, there are %s\n" % (one[2], spoken(one[0]), one[1]))
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
