"""systemd units that look for drift again and again: their text, from what a person asks for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gedge_provision.models.errors import UsageError

__all__ = ["HEADER", "Timer", "interval_s", "render", "textfile_of"]

HEADER = "# Written by gedge timer install; gedge timer remove takes it away."
"""First line of our units: others are never replaced or removed."""

_UNITS_S = {"min": 60, "h": 3600, "d": 86400}
_INTERVAL = re.compile(r"(?:[1-9][0-9]{0,3}(?:min|h|d))(?: ?[1-9][0-9]{0,3}(?:min|h|d))*")
_LONGEST_DELAY_S = 300
_SPACE = 32  # what comes before it in ASCII controls terminals, and ends lines
_MARK = "Textfile="
_EMPTIED = ("/tmp", "/var/tmp")  # noqa: S108 - folders that the service has of its own

# What the service cannot do, whatever ssh and Ansible are made to do: see systemd.exec(5). It keeps the capability of
# reading and writing files of other users, because site file, key and state may be another user's than root.
_HARDENING = """\
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
CapabilityBoundingSet=CAP_DAC_OVERRIDE
"""
# These do without a new mount namespace, which a user's own systemd cannot make everywhere.
_HARDENING_OF_ALL = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
UMask=0077
"""


@dataclass(frozen=True)
class Timer:
    """What a timer runs, and with which rights.

    Attributes:
        site: name of the site.
        site_file: absolute path of its file.
        program: absolute path of `gedge`.
        every: time between two looks, see `interval_s`.
        writable: folders that a look writes into, beside that of the textfile.
        environment: variables of the service: where state and cache are.
        textfile: absolute path of the file for metrics, if wanted.
        system: of the system's manager, as root; else of the user's own.
    """

    site: str
    site_file: Path
    program: Path
    every: str
    writable: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    textfile: Path | None = None
    system: bool = True

    @property
    def name(self) -> str:
        """Name of both units, without suffix."""
        return f"gedge-drift-{self.site}"


def interval_s(text: str) -> int:
    """Return the seconds of a time like `15min`, `1h 30min` or `1d`, in systemd's words (systemd.time(7)).

    Raises:
        UsageError: it is none.
    """
    if not _INTERVAL.fullmatch(text):
        raise UsageError(
            f"{text!r} is no time between two looks", place="--every", remedy="write it like 15min, 1h 30min or 1d"
        )
    return sum(int(count) * _UNITS_S[unit] for count, unit in re.findall(r"([0-9]+)(min|h|d)", text))


def render(timer: Timer) -> dict[str, str]:
    """Return the units' texts by file name.

    Raises:
        UsageError: a time or a place that a timer cannot have.
    """
    delay = min(interval_s(timer.every) // 10, _LONGEST_DELAY_S)
    places = [timer.site_file, timer.program, *timer.writable, *([timer.textfile] if timer.textfile else [])]
    for place in places:
        if any(ord(letter) < _SPACE for letter in str(place)):
            raise UsageError("a unit file cannot name this place", place=repr(str(place)), remedy="rename it")
        if timer.system and any(place.is_relative_to(folder) for folder in _EMPTIED):
            raise UsageError(
                "a timer cannot rely on what lies in a folder for temporary files",
                place=str(place),
                remedy="put it elsewhere",
            )
    return {f"{timer.name}.service": _service(timer), f"{timer.name}.timer": _timer(timer, delay)}


def textfile_of(service: str) -> Path | None:
    """Return the file for metrics that the text of our service unit names."""
    for line in service.splitlines():
        if line.startswith(_MARK):
            return Path(line.removeprefix(_MARK))
    return None


def _service(timer: Timer) -> str:
    words = [str(timer.program), "drift", "--site", str(timer.site_file)]
    writable, mark = list(timer.writable), ""
    if timer.textfile:
        words += ["--textfile", str(timer.textfile)]
        writable.append(timer.textfile.parent)
        mark = f"\n[X-Gedge]\n{_MARK}{timer.textfile}\n"
    variables = [f'Environment="{key}={_escaped(value)}"' for key, value in timer.environment.items()]
    # Ansible's own files and ssh's sockets, which would lie in the home folder.
    folder = f"%t/{timer.name}"
    variables += [
        f"RuntimeDirectory={timer.name}",
        f"Environment=ANSIBLE_HOME={folder} ANSIBLE_SSH_CONTROL_PATH_DIR={folder}/cp",
    ]
    hardening = _HARDENING_OF_ALL
    if timer.system:
        hardening += _HARDENING + "".join(f"ReadWritePaths={_quoted(str(path))}\n" for path in writable)
    return "\n".join(
        [
            HEADER,
            "[Unit]",
            f"Description=Look for drift of site {timer.site}",
            *(["Wants=network-online.target", "After=network-online.target"] if timer.system else []),
            "",
            "[Service]",
            "Type=oneshot",
            f"ExecStart={' '.join(_quoted(word).replace('$', '$$') for word in words)}",
            "# It found drift, which journal and metrics tell: the look itself has succeeded.",
            "SuccessExitStatus=3",
            *variables,
            hardening + mark,
        ]
    )


def _timer(timer: Timer, delay_s: int) -> str:
    # Counted from the start of the timer, so soon after each boot too; Persistent= has no effect without OnCalendar=.
    return f"""\
{HEADER}
[Unit]
Description=Look for drift of site {timer.site} every {timer.every}

[Timer]
OnActiveSec=1min
OnUnitActiveSec={timer.every}
RandomizedDelaySec={delay_s}

[Install]
WantedBy=timers.target
"""


def _escaped(text: str) -> str:
    """Escape for a quoted word of a unit: systemd.syntax(7), and % of systemd.unit(5)."""
    for plain, escape in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%")):
        text = text.replace(plain, escape)
    return text


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"' if re.search(r"[^\w./+:@%,=-]", text) else _escaped(text)
