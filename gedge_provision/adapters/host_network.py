"""Addresses, routes, bridges and firewall rules of the host of a lab."""

from __future__ import annotations

import json
from contextlib import suppress
from ipaddress import IPv4Network, ip_network
from pathlib import Path

from gedge_provision.adapters.processes import run
from gedge_provision.models.lab_host import Holder

__all__ = [
    "address_holders",
    "close_off",
    "delete_link",
    "delete_namespace",
    "empty_namespaces",
    "firewall_rules",
    "has_link",
    "namespaces_in",
    "open_up",
]

_NAMESPACES = Path("/run/netns")


def address_holders(*, but: frozenset[str]) -> list[Holder]:
    """Return who holds addresses on this host: interfaces, routes, networks of the system's podman.

    Args:
        but: interfaces that do not count.
    """
    holders = []
    for link in json.loads(run(["ip", "-json", "-4", "address"]).stdout or "[]"):
        for entry in link.get("addr_info", ()):
            network = IPv4Network(f"{entry['local']}/{entry['prefixlen']}", strict=False)
            holders.append((link["ifname"], Holder(network, f"on interface {link['ifname']}")))
    for route in json.loads(run(["ip", "-json", "-4", "route"]).stdout or "[]"):
        if route["dst"] != "default":
            device = route.get("dev", route.get("type", ""))
            holders.append((device, Holder(IPv4Network(route["dst"]), f"is routed to {device}")))
    for path in sorted(Path("/etc/containers/networks").glob("*.json")):
        entry = json.loads(path.read_text(encoding="utf-8"))
        taken = [ip_network(subnet["subnet"]) for subnet in entry.get("subnets") or ()]
        what = f"is podman's network {entry['name']}"
        holders += [("", Holder(network, what)) for network in taken if isinstance(network, IPv4Network)]
    return [holder for device, holder in holders if device not in but]


def has_link(name: str) -> bool:
    """Tell whether an interface exists."""
    return Path("/sys/class/net", name).exists()


def delete_link(name: str) -> None:
    """Delete an interface; none is fine."""
    if has_link(name):
        run(["ip", "link", "delete", name], check=False)


def close_off(table: str, bridge: str) -> None:
    """Forbid forwarding between a bridge and every other interface; what goes out is refused at once, not dropped."""
    rules = f"""
        table inet {table}
        delete table inet {table}
        table inet {table} {{
            chain forward {{
                type filter hook forward priority -10; policy accept;
                iifname "{bridge}" oifname "{bridge}" accept
                iifname "{bridge}" reject with icmpx type admin-prohibited
                oifname "{bridge}" drop
            }}
        }}
    """
    run(["nft", "-f", "-"], stdin=rules)


def open_up(table: str) -> None:
    """Take back `close_off`."""
    run(["nft", "delete", "table", "inet", table], check=False)


def firewall_rules(*words: str) -> list[str]:
    """Return the rules and tables of the host that name one of these words (whole ones)."""
    found = []
    for argv in (["iptables-save"], ["ip6tables-save"], ["nft", "list", "ruleset"]):
        lines = run(argv, check=False).stdout.splitlines()
        named = [line.strip() for line in lines if set(line.replace('"', " ").split()) & set(words)]
        found += [f"{argv[0]}: {line}" for line in named]
    return found


def namespaces_in(subnet: IPv4Network) -> list[Path]:
    """Return named network namespaces with an address of a subnet."""
    return [path for path in sorted(_NAMESPACES.glob("netns-*")) if _has_address(path, subnet)]


def _has_address(namespace: Path, subnet: IPv4Network) -> bool:
    argv = ["nsenter", f"--net={namespace}", "ip", "-json", "-4", "address"]
    links = json.loads(run(argv, check=False).stdout or "[]")
    addresses = [entry["local"] for link in links for entry in link.get("addr_info", ())]
    return any(IPv4Network(address).subnet_of(subnet) for address in addresses)


def empty_namespaces() -> list[Path]:
    """Return named network namespaces of podman that nothing was ever put in: no process, only a loopback that is down.

    One that a podman command has just made looks the same: ask only while none is under way.
    """
    used = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        with suppress(OSError):
            used.add(link.stat().st_ino)
    return [path for path in sorted(_NAMESPACES.glob("netns-*")) if path.stat().st_ino not in used and _is_bare(path)]


def _is_bare(namespace: Path) -> bool:
    done = run(["nsenter", f"--net={namespace}", "ip", "-json", "link"], check=False)
    links = json.loads(done.stdout or "[]")
    return [link["ifname"] for link in links] == ["lo"] and "UP" not in links[0]["flags"]


def delete_namespace(path: Path) -> None:
    """Delete a named network namespace."""
    run(["umount", str(path)], check=False)
    path.unlink(missing_ok=True)
