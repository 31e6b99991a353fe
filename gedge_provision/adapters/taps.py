"""TAP devices: where the cables of emulated nodes end on the host."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

from gedge_provision.adapters.host_network import delete_link, has_link
from gedge_provision.adapters.processes import run
from gedge_provision.models.errors import UsageError

__all__ = ["check", "make_switch", "plug_in", "taps"]

_DEVICE = Path("/dev/net/tun")
_LINKS = Path("/sys/class/net")
_MTU = 9216  # the largest frame of an igb
_MAKING = Lock()


def check() -> None:
    """Check that this host can have TAP devices.

    Raises:
        UsageError: it cannot.
    """
    try:
        os.close(os.open(_DEVICE, os.O_RDWR))
    except OSError as error:
        raise UsageError(
            f"emulated nodes need TAP devices, and {_DEVICE} cannot be opened: {error.strerror}",
            remedy="modprobe tun; in a container or guest, give it that device",
        ) from error


def taps(prefix: str) -> list[str]:
    """Return the TAP devices with names that begin so."""
    return sorted(path.parent.name for path in _LINKS.glob(f"{prefix}*/tun_flags"))


def make_switch(bridge: str) -> None:
    """Make a bridge for jumbo frames that this host has no address on; one that is there stays as it is."""
    with _MAKING:  # nodes boot side by side, and share it
        if not has_link(bridge):
            run(["ip", "link", "add", bridge, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0"])
    run(["ip", "link", "set", bridge, "mtu", str(_MTU), "addrgenmode", "none", "up"])


def plug_in(tap: str, bridge: str, *, jumbo: bool) -> None:
    """Make a TAP device anew that root may open without further rights, and plug it into a bridge."""
    delete_link(tap)
    run(["ip", "tuntap", "add", "dev", tap, "mode", "tap", "user", "0"])
    size = ("mtu", str(_MTU)) if jumbo else ()
    run(["ip", "link", "set", tap, *size, "addrgenmode", "none", "master", bridge, "up"])
