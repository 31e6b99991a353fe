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
        if self._task.check_mode:
            return {**result, "changed": False}
        # Not by a module: a Python started on the host costs more than all the rest.
        read = self._low_level_execute_command("cat %s" % shlex.quote(args["src"]))
        if read["rc"] != 0:
            raise AnsibleActionFail("the kubeconfig cannot be read: %s" % (read["stderr"] or read["stdout"]).strip())
        changed = self._write(args["dest"], read["stdout"].encode())
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
