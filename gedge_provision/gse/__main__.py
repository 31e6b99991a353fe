"""`python -m gedge_provision.gse`: the server in a container; `gedge serve` is the one at hand."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gedge_provision.adapters.files import read_document
from gedge_provision.adapters.kube_callers import Endpoint
from gedge_provision.gse import LOG_LEVELS, Certificate, Settings, listen, serve
from gedge_provision.models.documents import validate
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.site import Site

_USUAL = Settings(Endpoint("", None))


def main() -> None:
    """Serve until SIGTERM; a wrong option ends it with exit code 2."""
    parser = argparse.ArgumentParser(prog="gedge_provision.gse", description="The GSE API server of a container.")
    parser.add_argument("--api-server", required=True, metavar="URL", help="where the Kubernetes API answers")
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="certificates of its CA, PEM")
    parser.add_argument(
        "--documents-site", type=Path, metavar="FILE", help="a site file, for what it adds to documents"
    )
    parser.add_argument("--address", default="0.0.0.0", help="where to listen")  # noqa: S104 - a pod's own address
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument("--certificate", type=Path, required=True, metavar="FILE", help="PEM")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="of the certificate, PEM")
    parser.add_argument("--rate", type=int, default=_USUAL.rate, help="requests a second of one caller; 0: no limit")
    parser.add_argument("--log-level", default="info", choices=LOG_LEVELS)
    told = parser.parse_args()
    try:
        site = validate(read_document(told.documents_site), Site) if told.documents_site else None
        settings = Settings(Endpoint(told.api_server, told.ca_file), site, told.rate)
        pair = Certificate(told.certificate, told.key)
        serve(settings, pair, listen(told.address, told.port), told.log_level)
    except GedgeError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - where a container's log is
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
