"""CNI plugin `soft-rdma`: software RDMA (rxe) on the interface that the plugin before it in the list has made.

It runs on the node, called by the container runtime or Multus, as the CNI specification says: the command in the
environment, the configuration on standard input, the result or an error on standard output.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import links
from errors import CniError

VERSIONS = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]

# Codes of the CNI specification: https://www.cni.dev/docs/spec/#error
_MISSING_VARIABLE = 4
_NO_JSON = 6
_WRONG_CONFIGURATION = 7


def main() -> int:
    """Do what the environment asks for; returns the exit code."""
    version = VERSIONS[0]
    try:
        configuration = _configuration()
        version = str(configuration.get("cniVersion", version))
        result = _run(_variable("CNI_COMMAND"), configuration)
    except CniError as error:
        json.dump(
            {"cniVersion": version, "code": error.code, "msg": error.message, "details": error.details}, sys.stdout
        )
        return 1
    if result is not None:
        json.dump({**result, "cniVersion": version}, sys.stdout)
    return 0


def _run(command: str, configuration: dict[str, Any]) -> dict[str, Any] | None:
    if command == "VERSION":
        return {"supportedVersions": VERSIONS}
    if command == "STATUS":
        links.check_node()
        return None
    if command == "GC":  # links end with their interfaces
        return None
    interface = _variable("CNI_IFNAME")
    name = links.link_name(_variable("CNI_CONTAINERID"), interface)
    if command == "DEL":
        links.remove(os.environ.get("CNI_NETNS", ""), name)
        return None
    before = configuration.get("prevResult")
    if not isinstance(before, dict):
        raise CniError(
            _WRONG_CONFIGURATION,
            "soft-rdma has no interface to work on",
            "it goes into a list of plugins, after the one that makes the interface (sriov, macvlan, ...)",
        )
    if command == "ADD":
        links.check_node()
        links.add(_variable("CNI_NETNS"), name, interface)
        return before
    if command == "CHECK":
        links.check(_variable("CNI_NETNS"), name)
        return None
    raise CniError(
        _MISSING_VARIABLE, f"CNI_COMMAND={command} is not known", "ADD, DEL, CHECK, STATUS, GC and VERSION are"
    )


def _configuration() -> dict[str, Any]:
    try:
        found = json.load(sys.stdin)
    except ValueError as error:
        raise CniError(_NO_JSON, "the network configuration is no JSON", str(error)) from error
    if not isinstance(found, dict):
        raise CniError(_NO_JSON, "the network configuration is no JSON object", "")
    return found


def _variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise CniError(_MISSING_VARIABLE, f"{name} is not set", "the container runtime sets it when it calls a plugin")
    return value


if __name__ == "__main__":
    sys.exit(main())
