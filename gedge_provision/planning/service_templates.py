"""A service on its template: one document is made of two, and every value of it keeps its place. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gedge_provision.models.documents import Path, Source
from gedge_provision.models.errors import DocumentError, Finding
from gedge_provision.models.service import MISSPELLINGS

__all__ = ["MergedSource", "merge", "template_wanted", "with_both_places"]

_WHOLE = {"readinessProbe", "livenessProbe", "startupProbe", "communication", "scaling"}
"""Mappings whose keys exclude one another or belong together: one takes the place of the other as a whole."""
_INSTEAD = {"replicas": "scaling", "scaling": "replicas"}
"""Keys that exclude one another: the service's takes the place of the template's other one."""


@dataclass(frozen=True)
class MergedSource(Source):
    """A document of two files.

    Attributes:
        places: file:line of every path.
        other: file:line of the template, and of the key that names it, by file.
    """

    places: Mapping[Path, str]
    other: Mapping[str, str]

    def place(self, path: Path) -> str:
        """Return file:line of a path, or of its nearest parent that stands in one of the files."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, f"{self.name}:1")


def template_wanted(source: Source) -> str | None:
    """Return the name of the template that a service document takes, or None."""
    service = source.data.get("service") if isinstance(source.data, dict) else None
    name = service.get("template") if isinstance(service, dict) else None
    return name if isinstance(name, str) else None


def merge(template: Source, service: Source) -> MergedSource:
    """Return the service on its template.

    Mappings are merged key by key, everything else of the service takes the place of the template's; so does its
    scaling, as a whole, and of replicas and scaling that one which it has. Containers are found by their name, and
    without one by their place in the list; those that the template does not have are added.

    Args:
        template: a valid template document.
        service: a valid service document that names it.

    Raises:
        DocumentError: two containers of the service are for one of the template.
    """
    merging = _Merging(template, service)
    base, over = template.data["template"]["service"], service.data["service"]
    over = {key: value for key, value in over.items() if key != "template"}
    data = {"service": merging.mapping(base, over, ("template", "service"), ("service",), ("service",))}
    if merging.findings:
        raise DocumentError(merging.findings)
    merging.places[()] = service.place(())
    merging.places["service",] = service.place(("service",))
    named = service.place(("service", "template"))
    return MergedSource(
        service.name,
        data,
        {},
        merging.places,
        {service.name: template.place(("template",)), template.name: named},
    )


def with_both_places(error: DocumentError, merged: MergedSource) -> DocumentError:
    """Return the error with the other file in every finding: what is wrong may stand in either."""
    return DocumentError([_told(finding, merged) for finding in error.findings])


def _told(finding: Finding, merged: MergedSource) -> Finding:
    file = finding.place.rpartition(":")[0]
    other = merged.other.get(file)
    if other is None:
        return finding
    words = f"the template is {other}" if file == merged.name else f"the service is {other}"
    return replace(finding, message=f"{finding.message} ({words})")


class _Merging:
    """Two documents that become one; `places` and `findings` grow with it."""

    def __init__(self, template: Source, service: Source) -> None:
        self.template = template
        self.service = service
        self.places: dict[Path, str] = {}
        self.findings: list[Finding] = []

    def mapping(
        self, base: Mapping[str, Any], over: Mapping[str, Any], base_path: Path, over_path: Path, path: Path
    ) -> dict[str, Any]:
        """Return one mapping of two; a misspelled key is the right one already, so that both meet."""
        found: dict[str, Any] = {}
        for key, value in base.items():
            found[_right(key)] = self._copy(self.template, value, (*base_path, key), (*path, _right(key)))
        written = {_right(key): key for key in base}
        for key, other in _INSTEAD.items() if path == ("service",) else ():
            if over.get(key) is not None and other in found:
                del found[other]
                self._forget((*path, other))
        for key, value in over.items():
            right = _right(key)
            here, there = (*path, right), (*over_path, key)
            former = base.get(written[right]) if right in written else None
            if right == "containers" and isinstance(former, list) and isinstance(value, list):
                found[right] = self._containers(former, value, (*base_path, written[right]), there, here)
            elif isinstance(former, dict) and isinstance(value, dict) and right not in _WHOLE:
                found[right] = self.mapping(former, value, (*base_path, written[right]), there, here)
                self.places[here] = self.service.place(there)
            else:
                self._forget(here)
                found[right] = self._copy(self.service, value, there, here)
        return found

    def _containers(
        self, base: list[Any], over: list[Any], base_path: Path, over_path: Path, path: Path
    ) -> list[dict[str, Any]]:
        found = [self._copy(self.template, one, (*base_path, index), (*path, index)) for index, one in enumerate(base)]
        names = [one.get("name") for one in base]
        taken: dict[int, int] = {}
        for position, one in enumerate(over):
            there = (*over_path, position)
            name = one.get("name")
            if name is not None:
                index = names.index(name) if name in names else len(found)
            else:
                index = position if position < len(base) else len(found)
            here = (*path, index)
            if index in taken:
                self.findings.append(_twice(self.service.place(there), there, taken[index]))
                continue
            taken[index] = position
            self._forget(here)
            if index < len(base):
                found[index] = self.mapping(base[index], one, (*base_path, index), there, here)
                self.places[here] = self.service.place(there)
            else:
                found.append(self._copy(self.service, one, there, here))
        return found

    def _copy(self, source: Source, value: Any, there: Path, here: Path) -> Any:  # noqa: ANN401 - YAML data
        """Return a value with its misspelled keys put right, and note the places of all that is in it."""
        self.places[here] = source.place(there)
        if isinstance(value, dict):
            return {
                _right(key): self._copy(source, part, (*there, key), (*here, _right(key)))
                for key, part in value.items()
            }
        if isinstance(value, list):
            return [self._copy(source, part, (*there, index), (*here, index)) for index, part in enumerate(value)]
        return value

    def _forget(self, path: Path) -> None:
        for known in [known for known in self.places if known[: len(path)] == path]:
            del self.places[known]


def _twice(place: str, path: Path, former: int) -> Finding:
    return Finding(
        place,
        f"service.containers[{path[-1]}]",
        f"it is for the same container of the template as containers[{former}]",
        "say all of a container in one place; name those that are found by their name",
    )


def _right(key: str) -> str:
    return MISSPELLINGS.get(key, key)
