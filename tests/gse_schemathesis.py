"""Run schemathesis against a GSE API server, with all of its checks and phases, for some minutes.

    python -m tests.gse_schemathesis URL TOKEN MINUTES [CA_FILE]

It ends with 1 if something is found. The token should be of a user who may do everything in a namespace that nobody
needs: services are made, changed and deleted. CA_FILE verifies the certificate of the server; without it that is not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

__all__ = ["main", "run"]

_CONFIG = Path(__file__).with_suffix(".toml")
_USAGE = 2
_ARGUMENTS = 3


def run(url: str, token: str, minutes: float, ca_file: Path | None = None) -> int:
    """Run it, and return its exit code: 0 when nothing was found.

    Args:
        url: where the server answers.
        token: of the caller; it is given by the environment, where lists of processes do not show it.
        minutes: after which it ends.
        ca_file: certificates that verify that of the server; None does not verify it.
    """
    verify = str(ca_file) if ca_file else "false"
    environment = os.environ | {"GSE_URL": url, "GSE_TOKEN": token, "GSE_CA_FILE": verify}
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "openapi.json"
        document.write_text(json.dumps(_document(url, ca_file)), encoding="utf-8")
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(_CONFIG), "run", str(document),
            "--checks", "all", "--max-time", str(int(minutes * 60)), "--generation-database", "none",
            "--max-examples", "1000000",
        ]  # fmt: skip
        return subprocess.run(command, env=environment, cwd=folder, check=False).returncode


def _document(url: str, ca_file: Path | None) -> object:
    import ssl

    verify = ssl.create_default_context(cafile=str(ca_file)) if ca_file else False
    with httpx.Client(verify=verify, trust_env=False) as client:
        return client.get(f"{url}/gse/v1/openapi.json").raise_for_status().json()


def main() -> int:
    """Read the arguments, and run it."""
    told = sys.argv[1:]
    if len(told) not in {_ARGUMENTS, _ARGUMENTS + 1}:
        print(__doc__, file=sys.stderr)
        return _USAGE
    url, token, minutes, *ca_file = told
    return run(url.rstrip("/"), token, float(minutes), Path(ca_file[0]) if ca_file else None)


if __name__ == "__main__":
    sys.exit(main())
