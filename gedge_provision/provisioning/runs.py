"""Runs of the playbooks on a site: apply, kubeconfig, reset."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from gedge_provision.adapters.ansible import run_playbook
from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.files import read_document
from gedge_provision.adapters.locks import held_by
from gedge_provision.adapters.run_records import new_run
from gedge_provision.adapters.site_records import read_record, write_record
from gedge_provision.models.errors import DocumentError, Finding, UsageError
from gedge_provision.models.plan import CONSENTS, ConsentFlag
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.run_records import RunRequest
from gedge_provision.models.runs import RunFailedError, RunInterruptedError, RunResult
from gedge_provision.models.site import Site
from gedge_provision.models.site_records import SiteRecord
from gedge_provision.planning.failures import explain
from gedge_provision.planning.selection import select
from gedge_provision.planning.site_records import after_apply, applied, before_apply, without
from gedge_provision.provisioning.inventories import catalog_images, site_inventory
from gedge_provision.provisioning.sites import kubeconfig_path, load_site, owns_kubeconfig, site_folder

__all__ = ["apply", "fetch_kubeconfig", "look", "look_at_topology", "look_closer", "reset"]

_PLAYBOOKS = {"apply": "site", "plan": "site"}
"""Names of playbooks that differ from those of their verbs."""
_WRITING = ("site", "kubeconfig")
"""Playbooks that write the kubeconfig."""


def apply(
    site_path: Path,
    reporter: Reporter = SILENT,
    *,
    check: bool = False,
    only: str | None = None,
    consents: Collection[ConsentFlag] = (),
) -> RunResult:
    """Bring a site's hosts to what its site file says.

    Args:
        site_path: the site file.
        reporter: receives each phase.
        check: change nothing, report what would change.
        only: node names and concerns (keys of CONCERNS), separated by commas; None for all.
        consents: disruptive steps that are agreed to.

    Raises:
        DocumentError: the site file is wrong; nothing was changed.
        RunFailedError: a host failed, or could not be reached and was left out.
    """
    return _run("plan" if check else "apply", site_path, reporter, consents=consents, check=check, only=only)


def look(site_path: Path, reporter: Reporter, only: str | None, command: str) -> RunResult:
    """Find out what `apply` would change; others are told that `command` works on the site."""
    return _run("plan", site_path, reporter, check=True, only=only, command=command)


def look_closer(site_path: Path, reporter: Reporter) -> RunResult:
    """Find out what hosts show of secondary networks, and their topology, where the site has use for it.

    Raises:
        RunFailedError: of some hosts it cannot be known; the result has the others.
    """
    return _run("look", site_path, reporter, check=True, command="gedge verify")


def look_at_topology(site_path: Path, host: str, reporter: Reporter) -> RunResult:
    """Find out what a host tells of CPUs, memory and devices; nothing is changed.

    Raises:
        UsageError: the site has no such host.
        RunFailedError: it does not tell.
    """
    return _run("topology", site_path, reporter, check=True, only=host, command="gedge topology")


def look_at_pods(site_path: Path, hosts: Collection[str], reporter: Reporter) -> RunResult:
    """Find out what pods on these hosts own, on all of the site if none is named; nothing is changed.

    Raises:
        RunFailedError: of some hosts it cannot be known; the result has the others.
    """
    only = ",".join(hosts) or None
    return _run("pods", site_path, reporter, check=True, only=only, command="gedge topology pods")


def reset(site_path: Path, reporter: Reporter = SILENT, *, check: bool = False, only: str | None = None) -> RunResult:
    """Bring hosts back to what they were before they became nodes; the caller has the user's consent.

    Raises:
        RunFailedError: something could not be removed; the message names it.
    """
    result = _run("reset", site_path, reporter, check=check, only=only)
    if not check and only is None:
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
    consents: Collection[ConsentFlag] = (),
    check: bool = False,
    only: str | None = None,
    command: str = "",
) -> RunResult:
    site = load_site(site_path)
    playbook = _PLAYBOOKS.get(verb, verb)
    inventory = site_inventory(site_path, installing=playbook == "site")  # what is wrong is said before Ansible starts
    selection = select(site, only, concerns=playbook == "site")
    _check_keys(site, site_path)
    if playbook in _WRITING:
        _check_kubeconfig(site, site_path)
    home = site_folder(site)
    _make_folders(home, kubeconfig_path(site).parent)
    request = RunRequest(
        verb=verb,
        check=check,
        only=only,
        consents=tuple(consents),
        site_sha256=hashlib.sha256(site_path.read_bytes()).hexdigest(),
        pid=os.getpid(),
    )
    variables: dict[str, object] = {CONSENTS[flag]: True for flag in consents}
    if verb == "reset":
        variables["node_reset_ok"] = True
    hosts = selection.hosts or tuple(node.name for node in site.nodes)
    with held_by(home, f"site {site.name}", command or f"gedge {verb}"):
        folder = new_run(home / "runs", request)
        before = read_record(home)
        if verb == "apply":
            write_record(home, before_apply(before, site, hosts))
        try:
            result = run_playbook(
                playbook, site_path, folder, reporter, variables=variables, check=check, selection=selection
            )
        except KeyboardInterrupt:
            raise RunInterruptedError(verb) from None
        whole = selection.everything and result.status == "successful"
        if verb == "apply":
            now = applied(site, inventory, catalog_images(load_catalog())) if whole else None
            write_record(home, after_apply(before, site, result, hosts=hosts, applied=now))
        if verb == "reset" and not check:
            failed = {failure.host for failure in result.failures}
            write_record(home, SiteRecord() if whole else without(before, set(hosts) - failed))
    result = replace(result, failures=tuple(replace(f, message=explain(f.message)) for f in result.failures))
    if result.status != "successful":
        raise RunFailedError(result, resumable=request.changes_hosts)
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
