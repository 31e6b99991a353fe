from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from gedge_provision.models.documents import parse_yaml, validate
from gedge_provision.models.site import Site
from gedge_provision.planning.inventory import compile_inventory

SITE = """\
name: x
ssh: {known_hosts: "KNOWN"}
nodes: [{name: m1, address: 192.0.2.11, roles: [control_plane]}]
"""


def common_args(known_hosts: str) -> list[str]:
    site = validate(parse_yaml(SITE.replace("KNOWN", known_hosts), "site.yml"), Site)
    inventory = compile_inventory(site, {"control_plane": (), "worker": ()}, "/kubeconfig")
    return shlex.split(inventory.host_variables["m1"]["ansible_ssh_common_args"])  # as Ansible does


def test_known_hosts_may_have_spaces_and_percent_signs(tmp_path: Path) -> None:
    """Ansible and ssh both split: ssh itself says what is left."""
    for name in ("known_hosts", "my known hosts", "it's 100% here"):
        path = tmp_path / name
        shown = subprocess.run(
            ["ssh", "-G", "-F", "none", *common_args(str(path)), "host"], capture_output=True, text=True, check=True
        ).stdout
        assert f"userknownhostsfile {path}" in shown.replace("%%", "%").replace('"', "").splitlines()
