"""The GSE API server: what `gedge` does with services, over HTTP, with no power of its own."""

from gedge_provision.gse._app import create_app, openapi_document
from gedge_provision.gse._server import LOG_LEVELS, Certificate, listen, serve
from gedge_provision.gse._settings import Settings

__all__ = ["LOG_LEVELS", "Certificate", "Settings", "create_app", "listen", "openapi_document", "serve"]
