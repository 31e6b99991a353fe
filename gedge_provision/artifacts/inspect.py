"""What the store has, compared with what the catalog wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gedge_provision.adapters.locations import content_dir
from gedge_provision.adapters.store import Damage, Store
from gedge_provision.artifacts.sources import read_sources
from gedge_provision.models.catalog import Artifact, Catalog
from gedge_provision.models.stored import StoredArtifact
from gedge_provision.planning.artifacts import recipe, sources_of, up_to_date

__all__ = ["Listed", "list_artifacts", "verify"]

State = Literal["current", "outdated", "missing"]


@dataclass(frozen=True)
class Listed:
    """One artifact of the catalog, with what is stored of it.

    `outdated` means that its recipe changed since it was made; `gedge artifacts build` makes it again.
    """

    artifact: Artifact
    stored: StoredArtifact | None
    state: State


def list_artifacts(catalog: Catalog, store: Store) -> tuple[Listed, ...]:
    """Return every artifact of the catalog with its state; files are not hashed (see `verify`)."""
    sources = read_sources(catalog, content_dir())
    entries = store.entries()
    listed = []
    for artifact in catalog.artifacts:
        stored = entries.get(artifact.name)
        state: State = "missing"
        if stored is not None and stored.path.is_file():
            recipes = {source: recipe(catalog, artifact, source, sources) for source in sources_of(artifact, None)}
            state = "current" if up_to_date(stored, recipes, None) else "outdated"
        listed.append(Listed(artifact, stored, state))
    return tuple(listed)


def verify(store: Store) -> tuple[tuple[str, ...], tuple[Damage, ...]]:
    """Hash every stored file again; return the names of the sound ones, and the damaged ones."""
    damaged = tuple(store.verify())
    bad = {damage.artifact.name for damage in damaged}
    return tuple(name for name in store.entries() if name not in bad), damaged
