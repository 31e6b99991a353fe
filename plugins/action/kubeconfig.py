"""Controller side of fetching the administrator's kubeconfig: one question to the host, one file here."""

from __future__ import annotations

import os
import shlex
import tempfile

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

PRIVATE = 0o600


class ActionModule(ActionBase):
    """Read a file on the host and write it on the controller, readable by this user only."""

    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(
            argument_spec={
                "src": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
                "dest": {"type": "path", "required": True},
            }
        )
        # Not by a module: a Python started on the host costs more than all the rest.
        read = self._low_level_execute_command("cat %s" % shlex.quote(args["src"]))
        if read["rc"] != 0 and self._task.check_mode:  # no cluster yet
            action = "change" if os.path.exists(args["dest"]) else "create"
            return {**result, "changed": True, "objects": [self._made(args["dest"], action)]}
        if read["rc"] != 0:
            raise AnsibleActionFail("the kubeconfig cannot be read: %s" % (read["stderr"] or read["stdout"]).strip())
        action = self._action(args["dest"], read["stdout"].encode())
        if action and not self._task.check_mode:
            self._write(args["dest"], read["stdout"].encode())
        objects = [self._made(args["dest"], action)] if action else []
        return {**result, "changed": bool(action), "objects": objects}

    @staticmethod
    def _made(path, action):
        return {"kind": "kubeconfig", "name": path, "action": action}

    @staticmethod
    def _action(path, content):
        try:
            with open(path, "rb") as file:
                same = file.read() == content and os.stat(path).st_mode & 0o777 == PRIVATE
        except FileNotFoundError:
            return "create"
        return "" if same else "change"

    @staticmethod
    def _write(path, content):
        folder = os.path.dirname(path)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=folder)  # mode 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
