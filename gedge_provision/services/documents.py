"""Loading service documents and templates: the only way in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gedge_provision.adapters.files import read_document
from gedge_provision.models.documents import Problem, Source, validate
from gedge_provision.models.errors import DocumentError, Finding, UsageError
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.service import Service, ServiceFile, TemplatedServiceFile, TemplateFile
from gedge_provision.models.site import Site
from gedge_provision.planning.acceleration import plan_resources, without_acceleration
from gedge_provision.planning.service_checks import check_service, misspelling_notes
from gedge_provision.planning.service_site_checks import check_on_site
from gedge_provision.planning.service_sites import on_site, unplaced_notes
from gedge_provision.planning.service_templates import MergedSource, merge, template_wanted, with_both_places
from gedge_provision.services.templates import TemplateFinder, Templates

__all__ = [
    "Checked",
    "check_document",
    "check_documents",
    "complete_service",
    "gather",
    "load_service",
    "load_services",
    "read_service",
]

A = TypeVar("A")
R = TypeVar("R")
_ENDS = {".yaml", ".yml", ".json"}

_WRITE = "write a document whose root is service: (see docs/services.md)"
_OTHERS = {
    "template": ("a template", _WRITE),
    "serviceMesh": ("a service mesh", "gedge mesh apply brings it up, gedge mesh check looks at it"),
    "apiVersion": ("a Kubernetes manifest", _WRITE),
}
"""Other documents, by their root: what they are, and what to do with one."""


@dataclass(frozen=True)
class Checked:
    """A document that is right.

    Attributes:
        file: where it stands.
        kind: service or template.
        name: its name.
        notes: accepted misspellings, and amounts that are rounded or added.
    """

    file: str
    kind: str
    name: str
    notes: tuple[str, ...]


def load_service(
    path: Path,
    reporter: Reporter = SILENT,
    *,
    accelerated: bool = True,
    templates: Templates | Sequence[Path] = (),
    site: Site | None = None,
) -> Service:
    """Read and validate a service document, put it on its template, and add what the site file says.

    Args:
        path: YAML or JSON file.
        reporter: is told of accepted misspellings and of every amount that is rounded or added.
        accelerated: False drops all acceleration, so that requests and limits stand as they are written.
        templates: files of templates that count before those in the folder of the document; who loads many documents
            gives the same `Templates` to all, so that each template is read once.
        site: where it is to run: resources of its networks, the way to its GPUs, classes of nodes, whole cores.

    Raises:
        DocumentError: with every finding (file:line, field, remedy).
        UsageError: a file cannot be read, or it is another kind of document.
    """
    known = templates if isinstance(templates, Templates) else Templates(templates)
    return _service(read_document(path), reporter, known, site, accelerated=accelerated)


def load_services(
    paths: Sequence[Path],
    reporter: Reporter = SILENT,
    *,
    accelerated: bool = True,
    templates: Sequence[Path] = (),
    site: Site | None = None,
) -> tuple[Service, ...]:
    """Read many service documents as `load_service` does; of a folder, all that are not templates, sorted by name.

    Raises:
        DocumentError: with every finding of all files.
        UsageError: there is no service document.
    """
    known = Templates(templates)

    def load(file: tuple[Path, bool]) -> Service | None:
        path, named = file
        source = read_document(path)
        if not named and _is_template(source):
            return None
        return _service(source, reporter, known, site, accelerated=accelerated)

    services = tuple(one for one in gather(load, _files(paths)) if one is not None)
    if not services:
        raise UsageError(
            "there is no service document",
            place=", ".join(map(str, paths)),
            remedy="name files whose root is service:, or a folder with such *.yaml, *.yml or *.json",
        )
    return services


def gather(work: Callable[[A], R], items: Iterable[A]) -> list[R]:
    """Do a work for each of some documents and return the results.

    Raises:
        DocumentError: with every finding of all of them.
    """
    results: list[R] = []
    findings: list[Finding] = []
    for item in items:
        try:
            results.append(work(item))
        except DocumentError as error:
            findings += error.findings
        except UsageError as error:
            findings.append(Finding(error.place, "", error.message, error.remedy))
    if findings:
        raise DocumentError(list(dict.fromkeys(findings)))
    return results


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield every file, with whether it was named itself."""
    for path in paths:
        if not path.is_dir():
            yield path, True
            continue
        for file in sorted(path.iterdir()):
            if file.suffix in _ENDS and file.is_file():
                yield file, False


def _is_template(source: Source) -> bool:
    return isinstance(source.data, dict) and "template" in source.data and "service" not in source.data


def check_documents(
    paths: Sequence[Path], *, templates: Sequence[Path] = (), site: Site | None = None
) -> tuple[Checked, ...]:
    """Check service documents and templates, or folders of them, each as `load_service` would read it.

    Raises:
        DocumentError: with every finding of all files.
    """
    known = Templates(templates)
    return tuple(gather(lambda file: check_document(read_document(file[0]), known, site), _files(paths)))


def check_document(source: Source, templates: TemplateFinder, site: Site | None = None) -> Checked:
    """Check a parsed document of a service or template, as `check_documents` does.

    Raises:
        DocumentError: with every finding.
        UsageError: it is another kind of document.
    """
    if _is_template(source):
        template = validate(source, TemplateFile).template
        return Checked(source.name, "template", template.name, tuple(misspelling_notes(source)))
    service, notes = read_service(source, templates, site)
    return Checked(source.name, "service", service.name, tuple(notes))


def _service(
    source: Source, reporter: Reporter, templates: Templates, site: Site | None, *, accelerated: bool
) -> Service:
    service, notes = read_service(source, templates, site, accelerated=accelerated)
    for note in notes:
        reporter.note(note)
    return service


def read_service(
    source: Source, templates: TemplateFinder, site: Site | None = None, *, accelerated: bool = True
) -> tuple[Service, list[str]]:
    """Return the service of a parsed document as `load_service` reads it, and what its reader is told.

    Raises:
        DocumentError: with every finding, or it is another kind of document.
    """
    _refuse_others(source)
    return complete_service(source, templates, site, accelerated=accelerated)


def complete_service(
    source: Source, templates: TemplateFinder, site: Site | None, *, accelerated: bool
) -> tuple[Service, list[str]]:
    """Return the service of a document, with its template and what the site file adds, and what its reader is told.

    Args:
        source: the document.
        templates: where its template is found.
        site: where it is to run.
        accelerated: False drops all acceleration.

    Raises:
        DocumentError: with every finding.
    """

    def checks(document: ServiceFile) -> Iterator[Problem]:
        problems = list(check_service(document))
        yield from problems
        if site is not None and accelerated and not problems:
            yield from check_on_site(document, site)

    notes = misspelling_notes(source)
    name = template_wanted(source)
    if name is None:
        service = validate(source, ServiceFile, checks).service
    else:
        validate(source, TemplatedServiceFile)
        template = templates.find(source, name)
        notes += misspelling_notes(template)
        service = _on_template(merge(template, source), checks)
    if not accelerated:
        service = without_acceleration(service)
    elif site is not None:
        placed = on_site(service, site)
        service = placed.service
        notes += placed.notes
    else:
        notes += unplaced_notes(service)
    for planned in plan_resources(service):
        notes += planned.notes
    return service, notes


def _on_template(merged: MergedSource, checks: Callable[[ServiceFile], Iterator[Problem]]) -> Service:
    try:
        return validate(merged, ServiceFile, checks).service
    except DocumentError as error:
        raise with_both_places(error, merged) from error


def _refuse_others(source: Source) -> None:
    for key, (what, remedy) in _OTHERS.items():
        if isinstance(source.data, dict) and key in source.data and "service" not in source.data:
            message = f"this is {what}, and only service documents can be deployed"
            raise DocumentError([Finding(source.place((key,)), "", message, remedy)])
