"""Controller side of the kubelet's rules: settings that no kubelet starts with are refused before anything changes."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Hold KubeletConfiguration fields against what a kubelet refuses on this host."""

    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(
            argument_spec={
                "config": {"type": "dict", "required": True},
                "control_plane": {"type": "bool", "default": False},
            }
        )
        try:
            from gedge_provision.adapters.kubelet_names import load_kubelet_names
            from gedge_provision.models.kubelet_rules import raw_refusals
            from gedge_provision.planning.kubelet_checks import told_host
        except ImportError as error:
            self._display.warning("the kubelet's settings are not checked, which takes gedge-provision: %s" % error)
            return {**result, "changed": False, "checked": args["config"]}
        facts = (task_vars or {}).get("ansible_facts", {}).get("gedge_host")
        host = told_host(facts, control_plane=args["control_plane"]) if facts else None
        found = raw_refusals(args["config"], load_kubelet_names(), host)
        if found:
            raise AnsibleActionFail("kubelet_config: %s" % "; ".join(map(str, found)))
        return {**result, "changed": False, "checked": args["config"]}
