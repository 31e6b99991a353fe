"""From names to files in the store."""

from __future__ import annotations

from collections.abc import Iterable

from gedge_provision.adapters.store import Store
from gedge_provision.models.catalog import Catalog
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.stored import StoredArtifact

__all__ = ["resolve"]

_SHOWN = 6


def resolve(catalog: Catalog, store: Store, names: Iterable[str]) -> tuple[StoredArtifact, ...]:
    """Return the stored artifacts of these names, in the version and under the target that the catalog wants.

    Raises:
        UsageError: the store lacks some of them, or has another version.
    """
    stored = store.entries()
    found: list[StoredArtifact] = []
    missing: list[str] = []
    for name in names:
        wanted = catalog.artifact(name)
        if wanted is None:
            raise GedgeError("the catalog has no artifact of this name", place=name)
        have = stored.get(name)
        if have is None or (have.version, have.target) != (wanted.version, wanted.target) or not _is_whole(have):
            missing.append(name)
        else:
            found.append(have)
    if missing:
        shown = (
            f"{', '.join(missing[:_SHOWN])} and {len(missing) - _SHOWN} more"
            if len(missing) > _SHOWN
            else ", ".join(missing)
        )
        raise UsageError(
            f"the artifact store lacks {shown}" if stored else "the artifact store is empty",
            place=str(store.root),
            remedy=_remedy(catalog, missing),
        )
    return tuple(found)


def _remedy(catalog: Catalog, missing: list[str]) -> str:
    fetched = [one.name for one in catalog.artifacts if one.name in missing and one.only_upstream]
    built = [one for one in catalog.artifacts if one.name in missing and not one.only_upstream]
    steps = ["run: gedge artifacts build"] if built else []
    if not all(one.on_hosts for one in built):  # made only by name
        steps = [f"run: gedge artifacts build {' '.join(one.name for one in built)}"]
    if fetched:
        names = " ".join(fetched)
        steps.append(
            f"{names} comes from its publisher only: gedge artifacts build --source upstream {names} where that can be "
            "reached, or gedge artifacts unpack FILE with an archive that has it"
        )
    return "; ".join(steps)


def _is_whole(artifact: StoredArtifact) -> bool:
    """Look at the size only: hashing hundreds of megabytes is for `gedge artifacts verify` and for the hosts."""
    try:
        return artifact.path.stat().st_size == artifact.size
    except OSError:
        return False
