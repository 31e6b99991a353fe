"""One release of helm, through its program: what is there, and how to bring it to what is wanted.

Standard library only, Python 3.8 and later.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile

from .kube_client import KubeClient, KubeError
from .programs import look

HELM = "/usr/local/bin/helm"
KEPT_REVISIONS = "3"
PENDING = ("pending-install", "pending-upgrade", "pending-rollback")


class HelmError(Exception):
    """What helm, or the API server, said."""


class Helm:
    """Calls of helm for one release; what helm keeps for itself goes when the calls are done."""

    def __init__(self, kubeconfig, namespace, name, timeout_s):
        self.client = KubeClient(kubeconfig)
        self._kubeconfig, self._namespace, self._name = kubeconfig, namespace, name
        self._timeout = "%ds" % timeout_s
        self._folder = ""

    @contextlib.contextmanager
    def home(self):
        """Give helm a place for what it fetches, that only root can read."""
        self._folder = tempfile.mkdtemp(prefix="gedge-helm-", dir="/run")
        try:
            yield
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def find(self):
        """Return the release (status, chart, revision, values), None without one."""
        rows = json.loads(self._run(["list", "--all", "--filter", "^%s$" % self._name, "--output", "json"]) or "[]")
        if not rows:
            return None
        # What is to come of a half-done first install has no values to ask for.
        values = self._run(["get", "values", self._name, "--output", "json"], may_fail=True)
        row = rows[0]
        return {
            "status": row["status"],
            "chart": row["chart"],
            "revision": int(row["revision"]),
            "values": json.loads(values or "null") or {},
        }

    def forget_pending(self, found):
        """Take away the record of a revision that a killed run has left half done: helm would wait for its end."""
        secret = "sh.helm.release.v1.%s.v%d" % (self._name, found["revision"])
        try:
            self.client.delete("/api/v1/namespaces/%s/secrets/%s" % (self._namespace, secret))
        except KubeError as error:
            raise HelmError(str(error)) from error

    def install(self, chart, server, version, values):
        """Install or upgrade; the values travel in a file for root only, since a process shows its arguments."""
        path = os.path.join(self._folder, "values.json")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(values, file)  # JSON is YAML
        place = ["--repo", server, "--version", version] if server else []
        how = ["--create-namespace", "--reset-values", "--history-max", KEPT_REVISIONS, "--timeout", self._timeout]
        self._run(["upgrade", "--install", self._name, chart, *place, "--values", path, *how])

    def uninstall(self):
        """Remove the release with everything that it made, and wait until that is gone."""
        self._run(["uninstall", self._name, "--ignore-not-found", "--wait", "--timeout", self._timeout])

    def _run(self, arguments, may_fail=False):
        if not os.path.exists(HELM):
            raise HelmError("%s is missing -> gedge apply --only artifacts" % HELM)
        own = {"HELM_%s_HOME" % part: os.path.join(self._folder, part.lower()) for part in ("CACHE", "CONFIG", "DATA")}
        own["KUBECACHEDIR"] = os.path.join(self._folder, "kube")
        argv = [HELM, "--kubeconfig", self._kubeconfig, "--namespace", self._namespace, *arguments]
        rc, out, err = look(argv, dict(own, **self._proxy()))
        if rc != 0 and not may_fail:
            raise HelmError((err or out).strip() or "helm ends with exit code %d" % rc)
        return out if rc == 0 else ""

    def _proxy(self):
        """Let a chart server be reached through the host's proxy, and the API server without it."""
        host = self.client.server.split("://", 1)[-1].rsplit(":", 1)[0].strip("[]")
        names = ("NO_PROXY", "no_proxy")
        # Go reads the second only where the first says nothing, so both have what the owner wrote in either.
        written = [os.environ[name] for name in names if os.environ.get(name)]
        return dict.fromkeys(names, ",".join(dict.fromkeys([*written, host])))
