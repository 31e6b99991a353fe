"""Runs of the playbooks on a site: apply, kubeconfig, reset."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from gedge_provision.adapters.ansible import run_playbook
from gedge_provision.adapters.files import read_document
from gedge_provision.adapters.locks import held_by
from gedge_provision.adapters.run_records import new_run
from gedge_provision.models.errors import DocumentError, Finding, UsageError
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.run_records import RunRequest
from gedge_provision.models.runs import RunFailedError, RunInterruptedError, RunResult
from gedge_provision.models.site import Site
from gedge_provision.planning.failures import explain
from gedge_provision.provisioning.inventories import site_inventory
from gedge_provision.provisioning.sites import kubeconfig_path, load_site, owns_kubeconfig, site_folder

__all__ = ["apply", "fetch_kubeconfig", "reset"]

_PLAYBOOKS = {"apply": "site", "plan": "site"}
"""Names of playbooks that differ from those of their verbs."""
_WRITING = ("site", "kubeconfig")
"""Playbooks that write the kubeconfig."""


def apply(
    site_path: Path,
    reporter: Reporter = SILENT,
    *,
    check: bool = False,
    limit: str | None = None,
    restart_ok: bool = False,
) -> RunResult:
    """Bring a site's hosts to what its site file says.

    Args:
        site_path: the site file.
        reporter: receives each phase.
        check: change nothing, report what would change.
        limit: host pattern, as ansible-playbook takes it.
        restart_ok: consent to restarting the kubelet of nodes whose kubelet settings changed.

    Raises:
        DocumentError: the site file is wrong; nothing was changed.
        RunFailedError: a host failed or could not be reached.
    """
    variables: dict[str, object] = {"kubelet_restart_ok": True} if restart_ok else {}
    return _run("plan" if check else "apply", site_path, reporter, variables=variables, check=check, limit=limit)


def reset(site_path: Path, reporter: Reporter = SILENT, *, check: bool = False, limit: str | None = None) -> RunResult:
    """Bring hosts back to what they were before they became nodes; the caller has the user's consent.

    Raises:
        RunFailedError: something could not be removed; the message names it.
    """
    result = _run("reset", site_path, reporter, variables={"node_reset_ok": True}, check=check, limit=limit)
    if not check and limit is None:
        site = load_site(site_path)
        if owns_kubeconfig(site):
            kubeconfig_path(site).unlink(missing_ok=True)
    return result


def fetch_kubeconfig(site_path: Path, reporter: Reporter = SILENT) -> Path:
    """Write the administrator's kubeconfig of a site to its place on this machine and return that."""
    _run("kubeconfig", site_path, reporter)
    return kubeconfig_path(load_site(site_path))


def _run(  # noqa: PLR0913 - what a run takes
    verb: str,
    site_path: Path,
    reporter: Reporter,
    *,
    variables: dict[str, object] | None = None,
    check: bool = False,
    limit: str | None = None,
) -> RunResult:
    site = load_site(site_path)
    playbook = _PLAYBOOKS.get(verb, verb)
    site_inventory(site_path, installing=playbook == "site")  # what is wrong is said before Ansible starts
    _check_limit(site, limit)
    _check_keys(site, site_path)
    if playbook in _WRITING:
        _check_kubeconfig(site, site_path)
    home = site_folder(site)
    _make_folders(home, kubeconfig_path(site).parent)
    request = RunRequest(
        verb=verb,
        check=check,
        limit=limit,
        restart_ok=bool((variables or {}).get("kubelet_restart_ok")),
        site_sha256=hashlib.sha256(site_path.read_bytes()).hexdigest(),
        pid=os.getpid(),
    )
    with held_by(home, f"site {site.name}", f"gedge {verb}"):
        folder = new_run(home / "runs", request)
        try:
            result = run_playbook(playbook, site_path, folder, reporter, variables=variables, check=check, limit=limit)
        except KeyboardInterrupt:
            raise RunInterruptedError(verb) from None
    if result.status != "successful":
        raise RunFailedError(
            replace(result, failures=tuple(replace(f, message=explain(f.message)) for f in result.failures))
        )
    return result


def _make_folders(*folders: Path) -> None:
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(
            f"this folder cannot be made: {error.strerror}",
            place=str(folder),
            remedy="choose another place with GEDGE_STATE_DIR (or kubeconfig in the site file), or mend its rights",
        ) from error


def _check_keys(site: Site, path: Path) -> None:
    for name in ("private_key", "known_hosts"):
        file = getattr(site.ssh, name)
        if file is None or Path(file).expanduser().is_file():
            continue
        if site.lab is not None:
            raise UsageError(
                f"the lab {site.name} is not up: its {name} is missing",
                place=file,
                remedy=f"make it: gedge lab up {path}",
            )
        raise DocumentError(
            [
                Finding(
                    read_document(path).place(("ssh", name)), f"ssh.{name}", f"no such file: {file}", "correct the path"
                )
            ]
        )


def _check_kubeconfig(site: Site, path: Path) -> None:
    kubeconfig = kubeconfig_path(site)
    if not kubeconfig.exists() or owns_kubeconfig(site):
        return
    what = "a folder" if kubeconfig.is_dir() else f"no kubeconfig of the site {site.name} alone, and would be replaced"
    remedy = "name another place" if kubeconfig.is_dir() else "name another place, or move the file away"
    place = read_document(path).place(("kubeconfig",))
    raise DocumentError([Finding(place, "kubeconfig", f"{kubeconfig} is {what}", remedy)])


def _check_limit(site: Site, limit: str | None) -> None:
    if limit is None:
        return
    names = {node.name for node in site.nodes}
    unknown = sorted(set(limit.split(",")) - names)
    if unknown:
        raise UsageError(
            f"no node {', '.join(map(repr, unknown))} in this site",
            place="--limit",
            remedy=f"use names of {', '.join(sorted(names))}",
        )
