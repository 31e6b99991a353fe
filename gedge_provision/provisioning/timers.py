"""A timer of systemd that looks for drift of a site."""

from __future__ import annotations

import sys
from pathlib import Path

from gedge_provision.adapters.locations import cache_dir, state_dir
from gedge_provision.adapters.systemd import Manager, find_manager, is_system
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.site import Site
from gedge_provision.planning.drift_metrics import read_earlier
from gedge_provision.planning.timer_units import HEADER, Timer, render, textfile_of
from gedge_provision.provisioning.drift import check_textfile
from gedge_provision.provisioning.sites import load_site, site_folder

__all__ = ["DEFAULT_INTERVAL", "install_timer", "remove_timer", "timer_units"]

DEFAULT_INTERVAL = "15min"


def timer_units(site_path: Path, every: str = DEFAULT_INTERVAL, textfile: Path | None = None) -> dict[str, str]:
    """Return the unit files that `install_timer` writes, text by name.

    Args:
        site_path: the site file.
        every: time between two looks: 15min, 1h 30min, 1d.
        textfile: file for metrics (see `record_drift`).

    Raises:
        DocumentError: the site file is wrong.
        UsageError: a time or a place that a timer cannot have.
    """
    return render(_timer(load_site(site_path), site_path, every, textfile))


def install_timer(
    site_path: Path, reporter: Reporter = SILENT, *, every: str = DEFAULT_INTERVAL, textfile: Path | None = None
) -> bool:
    """Make systemd look for drift of a site; as root by the system's manager, else by this user's own.

    Args:
        site_path: the site file.
        reporter: receives notices about what the timer may lack.
        every: time between two looks: 15min, 1h 30min, 1d.
        textfile: file for metrics (see `record_drift`).

    Returns:
        Whether anything was changed.

    Raises:
        UsageError: something that the timer needs is missing or not readable; nothing was changed.
        GedgeError: this machine has no systemd, or it refuses.
    """
    site = load_site(site_path)
    manager = find_manager()
    timer = _timer(site, site_path, every, textfile)
    units = render(timer)
    if textfile is not None and (earlier := check_textfile(textfile)) and earlier.site != site.name:
        raise UsageError(
            f"this file tells of site {earlier.site}, not of {site.name}",
            place=str(textfile),
            remedy="name a file of its own for each site",
        )
    _check_key(site, reporter)
    present = _present(manager, timer.name)
    if not manager.lingers:
        reporter.note("it runs only while you are logged in; to change that: loginctl enable-linger")
    unit = f"{timer.name}.timer"
    running = manager.call("is-enabled", "--quiet", unit, check=False) and manager.call(
        "is-active", "--quiet", unit, check=False
    )
    if present == units and running:
        return False
    site_folder(site).mkdir(parents=True, exist_ok=True, mode=0o700)  # systemd wants what the service may write to
    former = textfile_of(present.get(f"{timer.name}.service", ""))
    for name, text in units.items():
        manager.write(name, text)
    manager.call("daemon-reload")
    manager.call("enable", unit)
    manager.call("restart", unit)
    if former is not None and former != timer.textfile:
        _remove_textfile(former, site.name)
    return True


def remove_timer(site_path: Path) -> bool:
    """Take a site's timer away, with its units and its file for metrics.

    Returns:
        Whether there was one.

    Raises:
        UsageError: there are units of this name that somebody else wrote.
        GedgeError: this machine has no systemd, or it refuses.
    """
    site = load_site(site_path)
    manager = find_manager()
    name = f"gedge-drift-{site.name}"
    present = _present(manager, name)
    if not present:
        return False
    if f"{name}.timer" in present:
        manager.call("disable", "--now", f"{name}.timer")
    manager.call("stop", f"{name}.service", check=False)
    for unit in present:
        manager.remove(unit)
    manager.call("daemon-reload")
    manager.call("reset-failed", f"{name}.timer", f"{name}.service", check=False)  # refused when nothing had failed
    if (textfile := textfile_of(present.get(f"{name}.service", ""))) is not None:
        _remove_textfile(textfile, site.name)
    return True


def _timer(site: Site, site_path: Path, every: str, textfile: Path | None) -> Timer:
    program = Path(sys.executable).with_name("gedge")
    if not program.is_file():
        raise GedgeError("this Python has no gedge beside it", place=str(program), remedy="install the package")
    return Timer(
        site=site.name,
        site_file=site_path.absolute(),
        program=program,
        every=every,
        writable=(site_folder(site).absolute(),),
        environment={"GEDGE_STATE_DIR": str(state_dir().absolute()), "GEDGE_CACHE_DIR": str(cache_dir().absolute())},
        textfile=textfile.absolute() if textfile else None,
        system=is_system(),
    )


def _check_key(site: Site, reporter: Reporter) -> None:
    """Check what ssh has to read; a timer has no agent and nobody who answers questions."""
    if site.ssh.private_key is None:
        reporter.note("the site file names no ssh.private_key, and a timer has no ssh agent: it needs a key in ~/.ssh")
    for file in filter(None, (site.ssh.private_key, site.ssh.known_hosts)):
        path = Path(file).expanduser()
        try:
            path.open("rb").close()
        except OSError as error:
            raise UsageError(
                f"the timer could not read this: {error.strerror}",
                place=str(path),
                remedy="correct ssh in the site file, or the rights; of a lab: gedge lab up",
            ) from error


def _present(manager: Manager, name: str) -> dict[str, str]:
    """Return the texts of our units that are there."""
    found = {unit: manager.read(unit) for unit in (f"{name}.service", f"{name}.timer")}
    for unit, text in found.items():
        if text is not None and not text.startswith(HEADER):
            raise UsageError(
                "this unit is not of gedge timer", place=str(manager.folder / unit), remedy="rename it, or remove it"
            )
    return {unit: text for unit, text in found.items() if text is not None}


def _remove_textfile(path: Path, site: str) -> None:
    """Remove a file for metrics that is still ours: the collector would go on telling what it says."""
    try:
        earlier = read_earlier(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if earlier is not None and earlier.site == site:
        path.unlink(missing_ok=True)
