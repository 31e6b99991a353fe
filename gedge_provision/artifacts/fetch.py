"""Fetching artifacts from their official places, by pinned digests only."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from gedge_provision.adapters import hosttools
from gedge_provision.adapters.archives import extract_member
from gedge_provision.adapters.images import ImageTool, image_tool
from gedge_provision.adapters.store import Store
from gedge_provision.models.catalog import Artifact, Catalog, Kind, Source, Sources, Upstream
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.progress import Reporter, step
from gedge_provision.models.stored import StoredArtifact
from gedge_provision.planning.artifacts import recipe

__all__ = ["fetch"]

_MEGABYTE = 1_000_000


def _otherwise(artifacts: Collection[Artifact]) -> str:
    """Return the command that needs no digest; charts cannot be built."""
    charts = all(artifact.kind is Kind.CHART for artifact in artifacts)
    return (
        "gedge artifacts unpack FILE, with an archive that has it" if charts else "gedge artifacts build --source build"
    )


def fetch(
    catalog: Catalog, artifacts: Collection[Artifact], sources: Sources, store: Store, reporter: Reporter
) -> None:
    """Fetch artifacts, each of which has an upstream source, into the store.

    Raises:
        GedgeError: an artifact has no pin, a place cannot be reached, or what it sends has another digest.
    """
    places = [(artifact, artifact.upstream) for artifact in artifacts if artifact.upstream]
    unpinned = [artifact for artifact, upstream in places if upstream.sha256 is None]
    if unpinned:
        names = ", ".join(artifact.name for artifact in unpinned)
        raise GedgeError(
            f"no digest is pinned for the upstream source of {names}; nothing was fetched",
            remedy="check the publisher's sha256 (of the file, or of the image's manifest) and add it as "
            f"upstream.sha256 to these entries of gedge_provision/data/catalog.yml, or use: {_otherwise(unpinned)}",
        )
    pulled = [(artifact, upstream) for artifact, upstream in places if upstream.reference]
    if pulled:
        hosttools.require([hosttools.ASSEMBLE])
    for artifact, upstream in places:
        if upstream.url:
            with step(reporter, name := f"fetch {artifact.name} {artifact.version}"):
                _put(catalog, artifact, sources, store, _file(artifact, upstream, store, reporter, name))
    if pulled:
        with image_tool(store.work / "images") as tool:
            for artifact, upstream in pulled:
                with step(reporter, f"pull {upstream.reference} for {artifact.name}"):
                    _put(catalog, artifact, sources, store, _image(artifact, upstream, tool, store))


def _file(artifact: Artifact, upstream: Upstream, store: Store, reporter: Reporter, name: str) -> Path:
    # Its HTTP client takes longer to import than all else that a short command needs.
    from gedge_provision.adapters.downloads import download  # noqa: PLC0415

    # By address, because several artifacts can be members of one archive.
    fetched = store.work / "downloads" / hashlib.sha256(str(upstream.url).encode()).hexdigest()
    download(
        str(upstream.url),
        str(upstream.sha256),
        fetched,
        lambda received, total: reporter.update(name, f"{received // _MEGABYTE} of {total // _MEGABYTE} MB"),
    )
    file = store.work / artifact.name
    if upstream.member is None:
        fetched.replace(file)
    else:
        extract_member(fetched, upstream.member, file, place=str(upstream.url))
    return file


def _image(artifact: Artifact, upstream: Upstream, tool: ImageTool, store: Store) -> Path:
    local = artifact.reference or f"localhost/gedge-upstream/{artifact.name}"
    file = store.work / f"{artifact.name}.{artifact.kind.value}"
    tool.pull(str(upstream.reference), str(upstream.sha256), local)
    if artifact.kind is Kind.IMAGE:
        tool.save(local, file)
    else:
        tool.copy_out(local, str(upstream.member), file)
    return file


def _put(catalog: Catalog, artifact: Artifact, sources: Sources, store: Store, file: Path) -> None:
    store.put(
        file,
        StoredArtifact(
            name=artifact.name,
            kind=artifact.kind.value,
            version=artifact.version,
            sha256="",
            size=0,
            path=file,
            target=artifact.target,
            source=Source.UPSTREAM.value,
            recipe=recipe(catalog, artifact, Source.UPSTREAM, sources),
        ),
    )
