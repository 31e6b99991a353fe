"""Controller side of fetching the administrator's kubeconfig: one question to the host, one file here."""

from __future__ import annotations

import os
import tempfile
from base64 import b64decode

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
        if self._task.check_mode:
            return {**result, "changed": False}
        read = self._execute_module(
            module_name="ansible.builtin.slurp", module_args={"src": args["src"]}, task_vars=task_vars
        )
        if read.get("failed"):
            raise AnsibleActionFail("the kubeconfig cannot be read: %s" % read.get("msg", "no reason given"))
        changed = self._write(args["dest"], b64decode(read["content"]))
        return {**result, "changed": changed, "path": args["dest"]}

    @staticmethod
    def _write(path, content):
        try:
            with open(path, "rb") as file:
                if file.read() == content and os.stat(path).st_mode & 0o777 == PRIVATE:
                    return False
        except FileNotFoundError:
            pass
        folder = os.path.dirname(path)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=folder)  # mode 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
        return True
