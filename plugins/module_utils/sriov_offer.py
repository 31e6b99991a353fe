"""What a node offers of its virtual functions: numbers by resource, and the device plugin's configuration.

Policies are those of the module `sriov`, each with the PCI addresses of its `cards`.
Standard library only, Python 3.8 and later.
"""

from __future__ import annotations

from .sriov_functions import VFIO


def device_plugin_settings(policies, wanted):
    """Return the configuration of the SR-IOV network device plugin; None when no policy names a resource."""
    resources = {}
    for card in wanted:
        policy = policies[card_policy(policies, card["address"])]
        if policy["resource"]:
            kinds = policy["device_type"], policy["rdma"]
            resources.setdefault(policy["resource"], (*kinds, []))[2].append(card["address"])
    if not resources:
        return None
    return {
        "resourceList": [
            {
                "resourcePrefix": name.partition("/")[0],
                "resourceName": name.partition("/")[2],
                "selectors": dict(
                    {"rootDevices": sorted(addresses)},
                    **({"drivers": [kind]} if kind == VFIO else {}),
                    **({"isRdma": True} if rdma else {}),
                ),
            }
            for name, (kind, rdma, addresses) in sorted(resources.items())
        ]
    }


def offered(policies):
    """Return how many virtual functions the node offers of each resource."""
    numbers = {}
    for policy in policies:
        if policy["resource"]:
            numbers[policy["resource"]] = numbers.get(policy["resource"], 0) + policy["vfs"] * len(policy["cards"])
    return numbers


def by_numa(policies, cards):
    """Return how many virtual functions of each resource are on each NUMA node, by its number as text."""
    numbers = {}
    for policy in policies:
        for address in policy["cards"] if policy["resource"] else []:
            node = numbers.setdefault(str(max(cards[address]["numa_node"], 0)), {})
            node[policy["resource"]] = node.get(policy["resource"], 0) + policy["vfs"]
    return numbers


def card_policy(policies, address):
    return next(index for index, policy in enumerate(policies) if address in policy["cards"])
