"""Nodes on one machine: containers that are real hosts to Ansible.

`up` and `down` take a lab to the state that its site file asks for and back to nothing; both may be killed at any
moment and run again.
"""

from gedge_provision.lab._down import down, leftovers, prune
from gedge_provision.lab._nodes import choose, labs, logs, shell, start_node, status, stop_node
from gedge_provision.lab._snapshots import delete_snapshot, restore_node, snapshot_node, snapshots
from gedge_provision.lab._up import check_host, up, up_by_name

__all__ = [
    "check_host",
    "choose",
    "delete_snapshot",
    "down",
    "labs",
    "leftovers",
    "logs",
    "prune",
    "restore_node",
    "shell",
    "snapshot_node",
    "snapshots",
    "start_node",
    "status",
    "stop_node",
    "up",
    "up_by_name",
]
