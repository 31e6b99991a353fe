"""Run schemathesis against a GSE API server, with all of its checks and phases, for some minutes.

    GSE_TOKEN=... python -m tests.gse_schemathesis URL MINUTES [CA_FILE]

Half of the time names of namespaces are made up; the other half there is one, `schemathesis`, which is made before and
deleted after it. It ends with 1 if something is found. The token should be of a user who may do everything there:
namespaces, services, templates and meshes are made, changed and deleted. CA_FILE verifies the certificate of the
server; without it that is not.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

__all__ = ["main", "run"]

_CONFIG = Path(__file__).with_suffix(".toml")
_NAMESPACE = "schemathesis"
_ONE_NAMESPACE = f"""
[[operations]]
include-path-regex = "/namespaces/{{namespace}}/"
parameters = {{ "path.namespace" = "{_NAMESPACE}" }}
"""
_USAGE = 2
_ARGUMENTS = 2


def run(url: str, token: str, minutes: float, ca_file: Path | None = None) -> int:
    """Run it, and return its exit code: 0 when nothing was found.

    Args:
        url: where the server answers.
        token: of the caller; it is given by the environment, where lists of processes do not show it.
        minutes: after which it ends.
        ca_file: certificates that verify that of the server; None does not verify it.
    """
    authority = str(ca_file) if ca_file else "false"
    environment = os.environ | {"GSE_URL": url, "GSE_TOKEN": token, "GSE_CA_FILE": authority}
    verify = ssl.create_default_context(cafile=str(ca_file)) if ca_file else False
    headers = {"Authorization": f"Bearer {token}"}
    with (
        tempfile.TemporaryDirectory() as folder,
        httpx.Client(base_url=url, headers=headers, verify=verify, trust_env=False, timeout=60) as client,
    ):
        document = Path(folder) / "openapi.json"
        document.write_text(client.get("/gse/v1/openapi.json").raise_for_status().text, encoding="utf-8")
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "--config-file", "schemathesis.toml", "run",
            document.name, "--checks", "all", "--max-time", str(int(minutes * 30)), "--max-examples", "1000000",
            "--generation-database", "none",
        ]  # fmt: skip
        code = 0
        for more in ("", _ONE_NAMESPACE):
            text = _CONFIG.read_text(encoding="utf-8") + more
            Path(folder, "schemathesis.toml").write_text(text, encoding="utf-8")
            if more:
                client.put(f"/gse/v1/namespaces/{_NAMESPACE}").raise_for_status()
            code = subprocess.run(command, env=environment, cwd=folder, check=False).returncode or code
        client.delete(f"/gse/v1/namespaces/{_NAMESPACE}")
        return code


def main() -> int:
    """Read the arguments, and run it."""
    told = sys.argv[1:]
    if len(told) not in {_ARGUMENTS, _ARGUMENTS + 1} or "GSE_TOKEN" not in os.environ:
        print(__doc__, file=sys.stderr)  # noqa: T201
        return _USAGE
    url, minutes, *ca_file = told
    return run(url.rstrip("/"), os.environ["GSE_TOKEN"], float(minutes), Path(ca_file[0]) if ca_file else None)


if __name__ == "__main__":
    sys.exit(main())
