"""Controller side of a server's certificate: made or read here, kept in the cluster, and never in an output.

Not by kube_apply: its arguments and what kubectl prints would have the key in them.
"""

from __future__ import annotations

import json
import shlex
import time
from base64 import b64decode, b64encode
from datetime import datetime, timezone
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

KUBECTL = "/usr/local/bin/kubectl"
ATTEMPTS = 10
# What the API server answers in the first seconds of a control plane; asking again is the remedy.
TRANSIENT = ("connection refused", "was refused", "ServiceUnavailable", "etcdserver", "timeout", "EOF", "TLS handshake")
APPLY = ("apply", "--server-side", "--field-manager=gedge", "--force-conflicts", "-o", "name", "-f", "-")
OWNER_LABEL = "gedge.dev/role"
CERTIFICATE = ("-o", r"jsonpath={.data.tls\.crt}")


class ActionModule(ActionBase):
    """Keep a Secret with a certificate and its key: those of two files, or a self-signed one that is made here."""

    TRANSFERS_FILES = False
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(
            argument_spec={
                "name": {"type": "str", "required": True},
                "namespace": {"type": "str", "required": True},
                "owner": {"type": "str", "required": True},
                "server": {"type": "str", "required": True},
                "urls": {"type": "list", "elements": "str", "required": True},
                "names": {"type": "list", "elements": "str", "default": []},
                "certificate": {"type": "path", "default": ""},
                "key": {"type": "path", "default": ""},
                "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
            }
        )
        try:
            from gedge_provision.adapters import certificates
            from gedge_provision.models.errors import GedgeError
        except ImportError as error:
            raise AnsibleActionFail(
                "a certificate needs the Python package gedge-provision beside ansible-core: %s" % error
            ) from error
        self._args = args
        now = datetime.now(timezone.utc)
        stored = self._stored()
        if not args["certificate"] and certificates.is_kept(stored, args["names"], now):
            shown, changed = stored, False
        else:
            try:
                pair = self._pair(certificates, now)
            except GedgeError as error:
                raise AnsibleActionFail(str(error)) from error
            shown, changed = pair.certificate, pair.certificate != stored
            if changed and not self._task.check_mode:
                self._store(pair)
        action = "change" if stored else "create"
        change = {"kind": "Secret", "name": "%s/%s" % (args["namespace"], args["name"]), "action": action}
        told = {
            "server": args["server"],
            "urls": args["urls"],
            "fingerprint": certificates.fingerprint(shown),
            "not_after": certificates.last_day(shown).isoformat(),
        }
        return {
            **result,
            "changed": changed,
            "objects": [change] if changed else [],
            "ansible_facts": {"gedge_serving_certificate": told},
        }

    def _pair(self, certificates, now):
        if self._args["certificate"]:
            files = [Path(self._args[name]).expanduser() for name in ("certificate", "key")]
            return certificates.read_pair(*files, now)
        return certificates.self_signed(self._args["server"], self._args["names"], now)

    def _stored(self):
        """Return the certificate that is in the cluster, PEM; empty where there is none, or no cluster yet."""
        if self._low_level_execute_command("test -e %s" % shlex.quote(self._args["kubeconfig"]))["rc"] != 0:
            return b""
        return b64decode(self._kubectl("get", "secret", *self._place(), "--ignore-not-found", *CERTIFICATE))

    def _store(self, pair):
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {
                "name": self._args["name"],
                "namespace": self._args["namespace"],
                "labels": {OWNER_LABEL: self._args["owner"]},
            },
            "data": {
                "tls.crt": b64encode(pair.certificate).decode(),
                "tls.key": b64encode(pair.key).decode(),
            },
        }
        self._kubectl(*APPLY, stdin=json.dumps(secret))

    def _place(self):
        return self._args["name"], "-n", self._args["namespace"]

    def _kubectl(self, *words, stdin="\n"):
        """Run kubectl and return what it prints, which is no key."""
        argv = [KUBECTL, "--kubeconfig", self._args["kubeconfig"], "--request-timeout=20s", *words]
        # A proxy that the host's environment names is not for its own API server.
        command = "NO_PROXY=* no_proxy=* KUBECACHEDIR=/run/gedge/kubectl " + shlex.join(argv)
        for attempt in range(ATTEMPTS):
            done = self._low_level_execute_command(command, in_data=stdin.encode())
            if done["rc"] == 0:
                return done["stdout"].strip()
            said = (done["stderr"] or done["stdout"]).strip()
            if attempt + 1 == ATTEMPTS or not any(word in said for word in TRANSIENT):
                raise AnsibleActionFail("kubectl %s secret %s: %s" % (words[0], self._args["name"], said[-800:]))
            time.sleep(1)
        return ""
