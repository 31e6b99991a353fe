"""Small file systems out of Debian packages, made by mmdebstrap and reduced to what runs."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from gedge_provision.adapters import processes
from gedge_provision.models.catalog import Base

__all__ = ["make_base", "reduce"]

# Data of the package manager, device nodes, documentation (licences stay), character sets that nothing here reads.
_UNNEEDED = ("boot", "dev", "etc/apt", "etc/dpkg", "etc/fstab", "etc/hostname", "etc/resolv.conf", "var", "tmp")
_UNNEEDED_PARTS = ("gconv", "locale", "man", "lintian", "bash-completion", "examples", "systemd", "gtk-doc", "bug")
# What Debian's package scripts and configuration questions need; it comes as a dependency and is never run.
_SCRIPTING_PARTS = ("debconf", "dpkg", "perl", "perl-base", "perl5", "security")
_SCRIPTING_FILES = ("debconf", "dpkg", "libperl.so", "pam", "perl", "prove", "tar")
_PROGRAM_FOLDERS = ("bin", "sbin", "x86_64-linux-gnu")


def make_base(base: Base, output: Path) -> None:
    """Write a base as a tar archive whose bytes depend on the packages alone.

    Raises:
        CommandError: a package cannot be downloaded.
    """
    raw = output.with_suffix(".raw.tar")
    processes.run(
        ["mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(base.packages)}", base.release, str(raw)]
    )
    reduce(raw, base.links, output)
    raw.unlink()


def reduce(raw: Path, links: Mapping[str, str], output: Path) -> None:
    """Write an archive with what runs out of a raw one, links and an empty /tmp; equal content, equal bytes."""
    with tarfile.open(raw) as source, tarfile.open(output, "w", format=tarfile.GNU_FORMAT) as target:
        for member in sorted(source.getmembers(), key=lambda m: m.name):
            if _kept(PurePosixPath(member.name)):
                target.addfile(_plain(member), source.extractfile(member) if member.isreg() else None)
        for path, link in sorted(links.items()):
            entry = tarfile.TarInfo("." + path)
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            target.addfile(_plain(entry))
        scratch = tarfile.TarInfo("./tmp")  # some programs cannot do without
        scratch.type, scratch.mode = tarfile.DIRTYPE, 0o1777
        target.addfile(_plain(scratch))


def _kept(path: PurePosixPath) -> bool:
    text = str(path)
    if any(text == name or text.startswith(f"{name}/") for name in _UNNEEDED):
        return False
    if "doc" in path.parts:
        return path.name == "copyright"
    if path.name.startswith(_SCRIPTING_FILES) and path.parent.name in _PROGRAM_FOLDERS:
        return False
    return not set(path.parts) & {*_UNNEEDED_PARTS, *_SCRIPTING_PARTS}


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = 0
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
