"""Downloading pinned files: resumed where they stopped, checked before they are used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import tenacity

from gedge_provision.adapters.store import digest_of
from gedge_provision.models.errors import GedgeError

__all__ = ["download"]

_ATTEMPTS = 5
_TIMEOUT_S = 30.0
_LONGEST_PAUSE_S = 10.0


class _TransientError(Exception):
    """Worth another try."""


def download(url: str, sha256: str, target: Path, watch: Callable[[int, int], None], pause_s: float = 0.5) -> None:
    """Download a file unless it is there already.

    What arrives is kept in a file beside the target, so that a later attempt, also of a later run, goes on from there.

    Args:
        url: http or https.
        sha256: its pinned digest.
        target: the file to write; appears only when the digest is right.
        watch: is called with the bytes so far and in all (0 when unknown).
        pause_s: seconds before the second attempt; doubles with every further one.

    Raises:
        GedgeError: the server refuses, stays away, or sends something with another digest.
    """
    if target.exists() and digest_of(target) == sha256:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type((httpx.TransportError, _TransientError)),
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        wait=tenacity.wait_exponential(multiplier=pause_s, max=_LONGEST_PAUSE_S),
        reraise=True,
    )
    try:
        attempts(_attempt, url, partial, watch)
    except (httpx.HTTPError, _TransientError) as error:
        raise GedgeError(
            f"the download failed {_ATTEMPTS} times: {error or type(error).__name__}",
            place=url,
            remedy="check the network and proxy settings, then run the same command: it goes on where it stopped",
        ) from error
    found = digest_of(partial)
    if found != sha256:
        partial.unlink()
        raise GedgeError(
            f"what was downloaded has sha256 {found}, the catalog wants {sha256}; it was removed",
            place=url,
            remedy="run the command again; if it stays so, do not use this file and check the pin in the catalog",
        )
    partial.replace(target)


def _attempt(url: str, partial: Path, watch: Callable[[int, int], None]) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT_S) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it had arrived; the digest decides
        if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise _TransientError(f"the server answers {response.status_code}")
        if response.is_error:
            raise GedgeError(
                f"the server answers {response.status_code} {response.reason_phrase}",
                place=url,
                remedy="check the address in the catalog, and whether this network reaches it",
            )
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        total = int(response.headers.get("Content-Length", 0)) + (have if resumed else 0)
        received = have if resumed else 0
        with partial.open("ab" if resumed else "wb") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                received += len(chunk)
                watch(received, total)
        if total and received < total:
            raise _TransientError(f"the connection ended after {received} of {total} bytes")
