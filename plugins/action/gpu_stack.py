"""Controller side of the wait for the GPU operator: kubectl on a control-plane node looks, the package judges.

Not as a module: a module cannot import the package, and the judgement is the same that tests hold against fixtures.
"""

from __future__ import annotations

import json
import shlex
import time

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

KUBECTL = "/usr/local/bin/kubectl"
LINES = 20
INTERVAL_S = 5
SILENCE_S = 120
"""How long an API server may give no answer during the wait: it starts anew where its node has little room."""
POLICIES = ("clusterpolicies.nvidia.com", "gpuclusters.nvidia.com")


class _NoAnswerError(Exception):
    """What kubectl said instead of an answer."""


class ActionModule(ActionBase):
    """Look until every node's stack is validated; after the time that was given, tell what is not and why."""

    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(
            argument_spec={
                "namespace": {"type": "str", "required": True},
                "nodes": {"type": "list", "elements": "str", "default": []},
                "resources": {"type": "bool", "default": True},
                "timeout_s": {"type": "int", "default": 1800},
                "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
            }
        )
        try:
            from gedge_provision.models.progress import WAITS
            from gedge_provision.planning.gpu_stack import diagnose, progress, read_look, suspects, told
        except ImportError as error:
            raise AnsibleActionFail(
                "the look at the GPU operator needs the Python package gedge-provision beside ansible-core: %s" % error
            ) from error
        self._args = args
        if self._task.check_mode:  # what is to come has not begun
            return {**result, "changed": False, "findings": []}
        deadline = time.monotonic() + args["timeout_s"]
        look, answered, shown = None, time.monotonic(), ""
        while True:
            try:
                look = read_look(self._look())
            except _NoAnswerError as error:
                if look is None or time.monotonic() > min(deadline, answered + SILENCE_S):
                    raise AnsibleActionFail("kubectl: %s" % error) from error
                text = "the API server does not answer: %s" % error
            else:
                answered = time.monotonic()
                findings = diagnose(look, args["nodes"], {}, resources=args["resources"])
                if not findings:
                    return {**result, "changed": False, "findings": []}
                if answered > deadline:
                    break
                text = progress(look, args["nodes"], findings)
            if text != shown:
                self._display.display(WAITS + text)
                shown = text
            time.sleep(INTERVAL_S)
        logs = {(pod, container): self._log(pod, container, former) for pod, container, former in suspects(look)}
        findings = diagnose(look, args["nodes"], logs, resources=args["resources"])
        text = "the GPU operator's stack is not validated after %d s:\n%s" % (args["timeout_s"], told(findings))
        return {
            **result,
            "failed": True,
            "msg": text,
            "findings": [
                {
                    "part": one.part,
                    "node": one.node,
                    "cause": one.cause.name,
                    "text": one.cause.text,
                    "remedy": one.cause.remedy,
                    "lines": list(one.lines),
                }
                for one in findings
            ],
        }

    def _look(self):
        space = self._args["namespace"]
        found = self._objects("get", "daemonsets,pods,events", "-n", space)
        found += self._objects("get", "nodes,runtimeclasses")
        for kind in POLICIES:
            found += self._objects("get", kind, may_fail=True)  # a chart defines one of them
        return found

    def _objects(self, *words, may_fail=False):
        done = self._kubectl(*words, "--ignore-not-found", "-o", "json")
        if done["rc"] != 0:
            if may_fail:
                return []
            raise _NoAnswerError((done["stderr"] or done["stdout"]).strip()[-400:])
        return json.loads(done["stdout"])["items"] if done["stdout"].strip() else []

    def _log(self, pod, container, former):
        how = ["logs", "-n", self._args["namespace"], pod, "-c", container, "--tail=%d" % LINES]
        if former:
            done = self._kubectl(*how, "--previous")
            if done["rc"] == 0 and done["stdout"].strip():
                return done["stdout"]
        done = self._kubectl(*how)
        return done["stdout"] if done["rc"] == 0 else ""

    def _kubectl(self, *words):
        argv = [KUBECTL, "--kubeconfig", self._args["kubeconfig"], "--request-timeout=20s", *words]
        # A proxy that the host's environment names is not for its own API server.
        command = "NO_PROXY=* no_proxy=* KUBECACHEDIR=/run/gedge/kubectl " + shlex.join(argv)
        return self._low_level_execute_command(command, in_data=b"\n")
