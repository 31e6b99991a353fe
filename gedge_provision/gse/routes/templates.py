"""Templates that a namespace keeps: services of it name them."""

from __future__ import annotations

import json

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from gedge_provision.adapters.kube import Kube
from gedge_provision.gse._callers import Asked, KubeOf
from gedge_provision.gse._inputs import Document, NamespaceName, ServiceName, check_name, document_of
from gedge_provision.gse._openapi import document_body, needs
from gedge_provision.gse._pages import Page, Paging, paged
from gedge_provision.models.documents import Source, parse_yaml, validate
from gedge_provision.models.schemas import DocumentKind
from gedge_provision.models.service import ServiceName as NameOfService
from gedge_provision.services import (
    StoredTemplate,
    delete_template,
    list_templates,
    read_template,
    running_service,
    store_template,
    template_of_service,
)

__all__ = ["FromService", "router"]

router = APIRouter(prefix="/gse/v1/namespaces/{namespace}/templates", tags=["templates"])


class FromService(BaseModel):
    """A template that says what a service says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_service: NameOfService = Field(examples=["app"])
    name: NameOfService = Field(examples=["app"])


@router.get("", summary="List templates", openapi_extra=needs("list configmaps"))
def list_stored_templates(kube: KubeOf, namespace: NamespaceName, paging: Paging) -> Page[StoredTemplate]:
    """Return the templates that the namespace keeps, by name."""
    return paged(list_templates(kube, namespace), paging, lambda one: (one.name,))


@router.post(
    "",
    summary="Create a template",
    status_code=201,
    openapi_extra=needs("get configmaps", "create configmaps", "patch configmaps", "get namespaces")
    | {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "anyOf": [
                            {"$ref": "#/components/schemas/template-document"},
                            {"$ref": "#/components/schemas/FromService"},
                        ]
                    }
                },
                "application/yaml": {"schema": {"$ref": "#/components/schemas/template-document"}},
            },
        }
    },
    responses={200: {"model": StoredTemplate, "description": "There is this very template already."}},
)
def create_template(asked: Asked, namespace: NamespaceName, body: Document) -> StoredTemplate:
    """Keep a template, or what a service of the namespace says as one; another one of that name is refused."""
    source = document_of(body)
    if isinstance(source.data, dict) and "from_service" in source.data:
        source = _of_service(asked.kube, namespace, source)
    stored, changed = store_template(asked.kube, namespace, source, replace=False)
    asked.response.status_code = 201 if changed else 200
    return stored


@router.get("/{name}", summary="Show a template", openapi_extra=needs("get configmaps"))
def show_template(kube: KubeOf, namespace: NamespaceName, name: ServiceName) -> StoredTemplate:
    """Return a template."""
    return read_template(kube, namespace, name)


@router.put(
    "/{name}",
    summary="Create or replace a template",
    openapi_extra=needs("get configmaps", "create configmaps", "patch configmaps", "get namespaces")
    | document_body(DocumentKind.TEMPLATE),
    responses={201: {"model": StoredTemplate, "description": "It is new, or changed."}},
)
def put_template(asked: Asked, namespace: NamespaceName, name: ServiceName, body: Document) -> StoredTemplate:
    """Make a template what the document says; services that were made with it stay as they are."""
    source = document_of(body)
    check_name(source, "template", name)
    stored, changed = store_template(asked.kube, namespace, source, replace=True)
    asked.response.status_code = 201 if changed else 200
    return stored


@router.delete(
    "/{name}",
    summary="Delete a template",
    status_code=204,
    openapi_extra=needs("get configmaps", "delete configmaps"),
)
def remove_template(kube: KubeOf, namespace: NamespaceName, name: ServiceName) -> None:
    """Delete a template; services that were made with it stay as they are."""
    delete_template(kube, namespace, name)


def _of_service(kube: Kube, namespace: str, source: Source) -> Source:
    wanted = validate(source, FromService)
    service = running_service(kube, wanted.from_service, namespace)
    return parse_yaml(json.dumps(template_of_service(service, wanted.name), indent=1), "template")
