"""Controller side of a release of helm: what helm says of charts, in plain words."""

from __future__ import annotations

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Run the module, and say with a remedy why a chart is not there."""

    TRANSFERS_FILES = False
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        done = self._execute_module(
            module_name=self._task.action, module_args=dict(self._task.args), task_vars=task_vars
        )
        result.update(done)
        if not done.get("failed"):
            return result
        try:
            from gedge_provision.planning.gpu_stack import explain_chart
        except ImportError:  # helm's own words must do
            return result
        return {**result, "msg": explain_chart(str(done.get("msg", "")))}
