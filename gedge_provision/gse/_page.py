"""The files of the web page."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

__all__ = ["page_routes"]

_FOLDER = Path(__file__).parent / "page"
_FRESH = {"Cache-Control": "no-cache"}


class _Files(StaticFiles):
    """Files that browsers ask for again after an upgrade."""

    def file_response(self, *args: object, **options: object) -> Response:
        answer = super().file_response(*args, **options)  # type: ignore[arg-type]
        answer.headers.update(_FRESH)
        return answer


def page_routes() -> list[Route | Mount]:
    """Return the routes of the page: its document at /, and its files."""
    return [
        Route("/", _index, methods=["GET"]),
        Mount("/page", _Files(directory=_FOLDER), name="page"),
    ]


def _index(_request: Request) -> Response:
    return FileResponse(_FOLDER / "index.html", headers=_FRESH)
