"""An inventory plugin that reads a site file: no generated files, no wrapper."""

from __future__ import annotations

DOCUMENTATION = r"""
name: site
short_description: Reads a gedge-provision site file
description:
  - The site file is validated, and compiled to groups and role variables in memory.
  - Needs the Python package gedge-provision beside ansible-core on the controller.
options: {}
author: The gedge-provision authors
"""

EXAMPLES = r"""
# ansible-playbook -i inventories/lab/site.yml playbooks/site.yml
"""

import re
import sys
from pathlib import Path

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.utils.display import Display

SITE_KEYS = {"name", "kubernetes", "networks", "control_plane", "ssh", "artifacts", "node_classes", "nodes", "lab"}
SITE_KEYS |= {"registry_mirrors", "rollout"}
FEWEST_KEYS = 3
PARSER_ERROR = 4  # Ansible's exit code for what it cannot parse


class InventoryModule(BaseInventoryPlugin):
    """Groups, connections and role variables of a site."""

    NAME = "gedge.provision.site"

    def verify_file(self, path):
        """Take YAML files that look like a site, even one with mistakes in it: they must be told of."""
        if not super().verify_file(path) or not path.endswith((".yml", ".yaml")):
            return False
        text = Path(path).read_text(encoding="utf-8", errors="replace")
        if re.search(r"^\s+(hosts|children):", text, re.MULTILINE):
            return False  # groups of a plain inventory may have any name
        keys = set(re.findall(r"^([a-z_]+):", text, re.MULTILINE))
        if "plugin" in keys:
            return False  # settings of another inventory plugin
        return bool(keys & {"name", "nodes"}) or len(keys & SITE_KEYS) >= FEWEST_KEYS

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        try:
            from gedge_provision.models.errors import GedgeError
            from gedge_provision.provisioning.inventories import site_inventory
        except ImportError as error:
            raise AnsibleParserError(
                "a site file as inventory needs the Python package gedge-provision beside ansible-core: %s" % error
            ) from error
        try:
            compiled = site_inventory(Path(path))
        except GedgeError as error:
            # An exception would make Ansible try its own plugins, which take a site for a set of empty groups and
            # end with "no hosts matched" and exit code 0.
            Display().error(str(error), wrap_text=False)
            sys.exit(PARSER_ERROR)
        for group, hosts in compiled.groups.items():
            inventory.add_group(group)
            for host in hosts:
                inventory.add_host(host, group=group)
        for name, value in compiled.variables.items():
            inventory.set_variable("all", name, value)
        for host, variables in compiled.host_variables.items():
            for name, value in variables.items():
                inventory.set_variable(host, name, value)
