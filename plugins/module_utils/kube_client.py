"""A small client of the Kubernetes API for our modules: a kubeconfig's own certificate, JSON in and out.

Standard library only; starting kubectl for every question costs more than the question.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import tempfile
import urllib.error
import urllib.request
from base64 import b64decode

from .host_state import read_text

ADMIN_CONF = "/etc/kubernetes/admin.conf"
KUBELET_CONF = "/etc/kubernetes/kubelet.conf"
NOT_FOUND = 404


class KubeError(Exception):
    """The API did not answer as hoped; `status` is the HTTP status, 0 without an answer."""

    def __init__(self, message, status=0):
        super().__init__(message)
        self.status = status


def millicpu(quantity):
    """Return CPU time as Kubernetes writes it (2, 500m, 1.5) in thousandths."""
    text = str(quantity)
    return int(text[:-1]) if text.endswith("m") else round(float(text) * 1000)


class KubeClient:
    """Calls with the credentials of one kubeconfig, as kubeadm writes them."""

    def __init__(self, kubeconfig):
        text = read_text(kubeconfig)
        if text is None:
            raise KubeError("%s is missing" % kubeconfig)
        self.server = self._field(text, "server", kubeconfig)
        authority = b64decode(self._field(text, "certificate-authority-data", kubeconfig)).decode()
        self._context = ssl.create_default_context(cadata=authority)
        self._load_certificate(text, kubeconfig)
        # No proxies: one that the host's environment names is not for its own API server.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context)
        )

    def get(self, path):
        """Return the JSON at a path."""
        return self._call("GET", path)

    def delete(self, path):
        """Delete an object; return whether there was one."""
        try:
            self._call("DELETE", path)
        except KubeError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return True

    def patch(self, path, merge):
        """Change an object by a JSON merge patch and return it."""
        return self._call("PATCH", path, json.dumps(merge).encode(), "application/merge-patch+json")

    def create(self, path, manifest):
        """Create an object and return it."""
        return self._call("POST", path, json.dumps(manifest).encode(), "application/json")

    def _call(self, method, path, body=None, content_type=""):
        headers = {} if body is None else {"Content-Type": content_type}
        request = urllib.request.Request(self.server + path, data=body, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=10) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise KubeError("%s: %s" % (path, text[:300]), error.code) from error
        except (OSError, ValueError) as error:  # URLError, time-outs and TLS errors are OSErrors
            raise KubeError("%s: %s" % (self.server, error)) from error

    @staticmethod
    def _field(text, name, kubeconfig):
        found = re.search(r"^\s*%s:\s*(\S+)" % re.escape(name), text, re.MULTILINE)
        if not found:
            raise KubeError("%s has no %s" % (kubeconfig, name))
        return found.group(1)

    def _load_certificate(self, text, kubeconfig):
        file = re.search(r"^\s*client-certificate:\s*(\S+)", text, re.MULTILINE)
        try:
            if file:  # the kubelet's rotating certificate: one file with the key
                self._context.load_cert_chain(file.group(1))
                return
            # ssl takes files only: one that only root can read, gone at once.
            descriptor, path = tempfile.mkstemp(dir="/run")
            try:
                with os.fdopen(descriptor, "wb") as writer:
                    for part in ("certificate", "key"):
                        writer.write(b64decode(self._field(text, "client-%s-data" % part, kubeconfig)) + b"\n")
                self._context.load_cert_chain(path)
            finally:
                os.unlink(path)
        except (OSError, ValueError) as error:
            raise KubeError("the client certificate of %s cannot be used: %s" % (kubeconfig, error)) from error
