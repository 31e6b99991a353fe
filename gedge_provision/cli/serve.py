"""`gedge serve`: the GSE API server and its web page, on this machine."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gedge_provision.adapters.files import write_atomically
from gedge_provision.adapters.kube_callers import endpoint_of
from gedge_provision.adapters.locations import state_dir
from gedge_provision.cli import _ui
from gedge_provision.cli._cluster import KubeconfigOption, chosen_kubeconfig, chosen_site
from gedge_provision.cli.site import SiteOption
from gedge_provision.models.errors import UsageError

__all__ = ["serve"]


class LogLevel(StrEnum):
    """How much the server tells."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"


def serve(  # noqa: PLR0913, PLR0917 - one per option
    site: SiteOption,
    kubeconfig: KubeconfigOption = None,
    context: Annotated[
        str | None, typer.Option(metavar="NAME", help="Context of --kubeconfig: which cluster; else its current one.")
    ] = None,
    address: Annotated[str, typer.Option(help="Where to listen: an address of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes a free port.")] = 8443,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What the server shows, PEM; else one that nobody signs.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="Of --certificate, PEM.")] = None,
    rate: Annotated[int, typer.Option(min=0, help="Requests a second of one caller; 0 sets no limit.")] = 50,
    log_level: Annotated[LogLevel, typer.Option(help="How much is told on standard error.")] = LogLevel.INFO,
) -> None:
    """Serve the GSE API (/gse/v1) and its web page until ^C, over TLS.

    Each call is made with its caller's own token, and Kubernetes RBAC decides; of a kubeconfig only the address and
    CA are read. What a site file adds to documents, the server adds too.

    Exit codes: 0 ended by ^C or SIGTERM, 2 wrong option, or the address is taken.
    """
    # The server takes 1.5 s to import: only this verb pays for it.
    from gedge_provision import gse  # noqa: PLC0415
    from gedge_provision.adapters.certificates import fingerprint  # noqa: PLC0415

    if context is not None and kubeconfig is None:
        raise UsageError("--context chooses a context of a kubeconfig", remedy="name that one too: --kubeconfig FILE")
    found = chosen_site(site, kubeconfig)
    endpoint = endpoint_of(chosen_kubeconfig(site, kubeconfig), context)
    with gse.listen(address, port) as listener:
        pair = gse.Certificate(*_pair(certificate, key, address))
        host = f"[{address}]" if ":" in address else address
        url = f"https://{host}:{listener.getsockname()[1]}/"
        _ui.console.print(f"GSE API of {endpoint.server}: {url}", markup=False)
        if certificate is None:
            shown = fingerprint(pair.certificate.read_bytes())
            _ui.console.print(f"  certificate (nobody signs it), SHA-256 {shown}", markup=False, soft_wrap=True)
        _ui.console.print("  sign in with a token: kubectl create token SERVICEACCOUNT", markup=False)
        gse.serve(gse.Settings(endpoint, found, rate), pair, listener, log_level.value)


def _pair(certificate: Path | None, key: Path | None, address: str) -> tuple[Path, Path]:
    """Return what the server shows, with its key; without one it is made here, and kept for the next time."""
    from gedge_provision.adapters.certificates import is_kept, read_pair, self_signed  # noqa: PLC0415 - see serve

    now = datetime.now(UTC)
    if (certificate is None) != (key is None):
        raise UsageError("a certificate and its key belong together", remedy="name both: --certificate, --key")
    if certificate is not None and key is not None:
        read_pair(certificate, key, now)
        return certificate, key
    here = {"localhost", "127.0.0.1", "::1", socket.gethostname().lower()}
    # Another address has another pair: clients trust the one that they have seen.
    other = address not in {*here, "0.0.0.0", "::"}  # noqa: S104
    names = sorted({*here, address} if other else here)
    folder = state_dir() / "serve" / (address if other else "")
    kept, secret = folder / "certificate.pem", folder / "key.pem"
    if not secret.is_file() or not kept.is_file() or not is_kept(kept.read_bytes(), names, now):
        made = self_signed("GSE API server", names, now)
        write_atomically(secret, made.key.decode(), 0o600)
        write_atomically(kept, made.certificate.decode())
    return kept, secret
