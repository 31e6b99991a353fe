"""Controller side of the module `artifacts`: copies over SSH what the host lacks, and no more."""

from __future__ import annotations

import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Ask the host what it lacks, send those files, then install."""

    # No folder for transfers is made beforehand: most hosts lack nothing, and a lost connection would leave it there.
    TRANSFERS_FILES = False
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        if not args.get("items"):
            raise AnsibleActionFail(
                args.get("problem")
                or "the list of artifacts is empty -> run the playbook with a site file as inventory, after: "
                "gedge artifacts build"
            )
        name = self._task.action
        result.update(self._execute_module(module_name=name, module_args=args, task_vars=task_vars))
        missing = result.get("missing") or []
        if result.get("failed") or not missing:
            return result
        sources = {item["sha256"]: item for item in args["items"]}
        folder = self._make_tmp_path()
        try:
            staged = {}
            for digest in missing:
                source = sources[digest].get("source")
                if not source or not os.path.isfile(source):
                    raise AnsibleActionFail(
                        "%s (%s...) is not in the artifact store -> run: gedge artifacts build"
                        % (sources[digest]["name"], digest[:16])
                    )
                staged[digest] = self._connection._shell.join_path(folder, digest)
                self._transfer_file(source, staged[digest])
            self._fixup_perms2([folder, *staged.values()])
            args["staged"] = staged
            result.update(self._execute_module(module_name=name, module_args=args, task_vars=task_vars))
        finally:
            self._remove_tmp_path(folder)
        return result
