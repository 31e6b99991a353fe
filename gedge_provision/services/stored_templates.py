"""Templates that a namespace keeps, so that services can name them without a file: one ConfigMap each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from gedge_provision.adapters.kube import ConflictError, Kube, NotFoundError
from gedge_provision.models.cluster import CONFIG_MAP, Manifest, Metadata
from gedge_provision.models.documents import Source, parse_yaml, validate
from gedge_provision.models.errors import DocumentError, Finding
from gedge_provision.models.service import Service, Template, TemplateFile
from gedge_provision.planning.manifests import MANAGED
from gedge_provision.services.namespaces import check_namespace

__all__ = [
    "StoredTemplate",
    "StoredTemplates",
    "delete_template",
    "list_templates",
    "read_template",
    "store_template",
    "template_of_service",
]

_TEMPLATE = "gedge.dev/template"
"""Label of a kept template: its name."""


@dataclass(frozen=True)
class StoredTemplate:
    """A template that a namespace keeps.

    Attributes:
        name: by which services name it.
        created: when it was stored first.
        document: what it says, as JSON data of the document.
    """

    name: str
    created: datetime | None
    document: Manifest


class StoredTemplates:
    """Finds templates of a namespace for documents that name them."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace

    def find(self, source: Source, name: str) -> Source:
        """Return the template that a service document names.

        Raises:
            DocumentError: the namespace keeps none of that name.
        """
        try:
            stored = read_template(self._kube, self._namespace, name)
        except NotFoundError as error:
            known = ", ".join(one.name for one in list_templates(self._kube, self._namespace))
            remedy = f"name one of {known}" if known else "store it first: POST it to templates"
            place = source.place(("service", "template"))
            message = f"namespace {self._namespace} keeps no template {name}"
            raise DocumentError([Finding(place, "service.template", message, remedy)]) from error
        return parse_yaml(json.dumps(stored.document, indent=1), f"template {name}")


def list_templates(kube: Kube, namespace: str) -> tuple[StoredTemplate, ...]:
    """Return the templates that a namespace keeps, by name.

    Raises:
        NamespaceMissingError: the namespace is not there.
    """
    found = [_read(item) for item in kube.each(CONFIG_MAP, namespace, labels=MANAGED) if _is_template(item)]
    if not found:
        check_namespace(kube, namespace)
    return tuple(sorted(found, key=lambda one: one.name))


def read_template(kube: Kube, namespace: str, name: str) -> StoredTemplate:
    """Return a template.

    Raises:
        NotFoundError: the namespace keeps none of that name.
    """
    try:
        item = kube.get(CONFIG_MAP, namespace, _object_name(name))
    except NotFoundError:
        item = {"metadata": {}}
    if not _is_template(item):
        raise NotFoundError("no such template", place=f"{namespace}/{name}", remedy="see the list of templates")
    return _read(item)


def store_template(kube: Kube, namespace: str, source: Source, *, replace: bool) -> tuple[StoredTemplate, bool]:
    """Keep a template document; return it, and whether it is new or changed.

    Args:
        kube: the cluster.
        namespace: where it is kept.
        source: the document.
        replace: put it in the place of one of that name that says something else.

    Raises:
        DocumentError: it does not validate.
        ConflictError: there is one of that name with another content (without `replace`), or the object is somebody's.
    """
    template = validate(source, TemplateFile).template
    document = _document(template)
    check_namespace(kube, namespace)
    try:
        before = kube.get(CONFIG_MAP, namespace, _object_name(template.name))
    except NotFoundError:
        before = None
    place = f"{namespace}/{template.name}"
    if before is not None and not _is_template(before):
        raise ConflictError(
            f"a ConfigMap {_object_name(template.name)} exists, and it is no template",
            place=place,
            remedy="give the template another name",
        )
    if before is not None and _read(before).document == document:
        return _read(before), False
    if before is not None and not replace:
        raise ConflictError(
            "there is a template of that name, which says something else", place=place, remedy="replace it by PUT"
        )
    manifest = {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.name,
        "metadata": {
            "name": _object_name(template.name),
            "namespace": namespace,
            "labels": {**MANAGED, _TEMPLATE: template.name},
        },
        "data": {"template": json.dumps(document, indent=1)},
    }
    return _read(kube.apply(manifest)), True


def template_of_service(service: Service, name: str) -> Manifest:
    """Return the document of a template that says what a service says."""
    written = service.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    written.pop("name", None)
    return {"template": {"name": name, "service": written}}


def delete_template(kube: Kube, namespace: str, name: str) -> None:
    """Delete a template; services that were made with it stay as they are.

    Raises:
        NotFoundError: the namespace keeps none of that name.
    """
    read_template(kube, namespace, name)
    kube.delete(CONFIG_MAP, namespace, _object_name(name))


def _document(template: Template) -> Manifest:
    return {"template": template.model_dump(mode="json", by_alias=True, exclude_defaults=True)}


def _object_name(name: str) -> str:
    return f"{name}-template"


def _is_template(item: Manifest) -> bool:
    labels = item["metadata"].get("labels", {})
    return _TEMPLATE in labels and bool(labels.items() >= MANAGED.items())


def _read(item: Manifest) -> StoredTemplate:
    metadata = Metadata.model_validate(item["metadata"])
    return StoredTemplate(metadata.labels[_TEMPLATE], metadata.creation_timestamp, json.loads(item["data"]["template"]))
