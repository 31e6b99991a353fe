"""Loading a service document: the only way in."""

from __future__ import annotations

from pathlib import Path

from gedge_provision.adapters.files import read_document
from gedge_provision.models.documents import Source, validate
from gedge_provision.models.errors import UsageError
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.service import Service, ServiceFile
from gedge_provision.planning.acceleration import plan_resources, without_acceleration
from gedge_provision.planning.service_checks import check_service, misspelling_notes

__all__ = ["load_service"]

_OTHERS = {
    "template": "a template",
    "serviceMesh": "a service mesh",
    "apiVersion": "a Kubernetes manifest",
}


def load_service(path: Path, reporter: Reporter = SILENT, *, accelerated: bool = True) -> Service:
    """Read and validate a service document.

    Args:
        path: YAML or JSON file.
        reporter: is told of accepted misspellings and of every amount that is rounded or added.
        accelerated: False drops all acceleration, so that requests and limits stand as they are written.

    Raises:
        DocumentError: with every finding (file:line, field, remedy).
        UsageError: the file cannot be read, or it is another kind of document.
    """
    source = read_document(path)
    _refuse_others(source)
    service = validate(source, ServiceFile, check_service).service
    for note in misspelling_notes(source):
        reporter.note(note)
    if not accelerated:
        service = without_acceleration(service)
    for planned in plan_resources(service):
        for note in planned.notes:
            reporter.note(note)
    return service


def _refuse_others(source: Source) -> None:
    for key, what in _OTHERS.items():
        if isinstance(source.data, dict) and key in source.data and "service" not in source.data:
            raise UsageError(
                f"this is {what}, and only service documents can be deployed",
                place=source.place((key,)),
                remedy="write a document whose root is service: (see docs/services.md)",
            )
