from __future__ import annotations

from gedge_provision.models.base_image import Mirrors
from gedge_provision.planning.base_image import apt_sources, mirrors, packages, recipe

FILES = {"packages.txt": b"# why\nsystemd  # init\n\nudev\n", "setup.sh": b"#!/bin/sh\n", "rootfs/etc/x": b"1"}


def test_packages_leave_comments_out() -> None:
    assert packages("# a\nsystemd # b\n\n  udev\n") == ("systemd", "udev")


def test_digest_follows_content_not_mirrors() -> None:
    plain = recipe("debian12", FILES, "mmdebstrap 1.3", Mirrors())
    assert plain.packages == ("systemd", "udev")
    assert plain.image.endswith(plain.digest)
    assert recipe("debian12", FILES, "mmdebstrap 1.3", Mirrors("http://m/debian")).digest == plain.digest
    others = [
        recipe("debian13", FILES, "mmdebstrap 1.3", Mirrors()),
        recipe("debian12", FILES, "mmdebstrap 1.4", Mirrors()),
        recipe("debian12", {**FILES, "setup.sh": b"#!/bin/sh\ntrue\n"}, "mmdebstrap 1.3", Mirrors()),
        recipe("debian12", {**FILES, "rootfs/etc/y": b""}, "mmdebstrap 1.3", Mirrors()),
    ]
    assert len({plain.digest, *(other.digest for other in others)}) == 5


def test_mirrors_of_one_line_sources() -> None:
    text = (
        "# deb http://off.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://near.example/debian bookworm main contrib # ours\n"
        "deb http://near.example/security bookworm-security main\n"
        "deb http://third.example/apt bookworm stable\n"
    )
    assert mirrors("bookworm", {"sources.list": text}) == Mirrors(
        "http://near.example/debian", "http://near.example/security"
    )


def test_mirrors_of_deb822_sources() -> None:
    text = (
        "Types: deb deb-src\nURIs: http://near.example/debian/\nSuites: bookworm bookworm-updates\nComponents: main\n"
        "\n# off\nEnabled: no\nTypes: deb\nURIs: http://off.example/debian-security\nSuites: bookworm-security\n"
        "Components: main\n"
    )
    assert mirrors("bookworm", {"debian.sources": text}) == Mirrors(archive="http://near.example/debian/")


def test_mirrors_without_sources_are_debians() -> None:
    assert mirrors("", {}) == Mirrors()


def test_apt_sources_are_signed() -> None:
    lines = apt_sources("trixie", Mirrors()).splitlines()
    assert len(lines) == 3
    assert all("signed-by=" in line for line in lines)
    assert lines[2].split()[2:] == ["http://deb.debian.org/debian-security", "trixie-security", "main"]
