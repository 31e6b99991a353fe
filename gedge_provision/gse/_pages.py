"""Lists page by page: a cursor says after which item the next page begins, whatever came or went meanwhile."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from gedge_provision.gse._inputs import DIGITS
from gedge_provision.gse._problems import ProblemError, WrongField

__all__ = ["Page", "Paging", "paged"]

T = TypeVar("T")
Key = tuple[Any, ...]

_Limit = Annotated[int, Field(ge=1, le=500), DIGITS, Query(description="So many items at most.")]
_Cursor = Annotated[str, Query(max_length=1024, pattern=r"^[A-Za-z0-9_-]*$", description="`next` of the page before.")]


@dataclass(frozen=True)
class _Paging:
    """Which part of a list is asked for."""

    request: Request
    limit: _Limit = 100
    cursor: _Cursor = ""

    @property
    def list(self) -> str:
        """What is another one for each list: its path, with how it is filtered and sorted."""
        asked = sorted(one for one in self.request.query_params.multi_items() if one[0] not in {"limit", "cursor"})
        return hashlib.sha256(json.dumps([self.request.url.path, asked]).encode()).hexdigest()[:12]


Paging = Annotated[_Paging, Depends()]


class Page(BaseModel, Generic[T]):
    """A page of a list."""

    items: tuple[T, ...]
    next: str | None = Field(description="Cursor of the next page; null on the last one.")
    total: int = Field(description="How many items all pages have.")


def paged(items: Sequence[T], paging: _Paging, key: Callable[[T], Key], *, backwards: bool = False) -> Page[T]:
    """Return a page of items.

    Args:
        items: all of them, in any order.
        paging: the page before, and how many a page has at most.
        key: by which they are sorted; of text, numbers and truth values, and different for each item.
        backwards: the largest key comes first.

    Raises:
        ProblemError: the cursor is none of this list.
    """
    ordered = sorted(items, key=key, reverse=backwards)
    if paging.cursor:
        after = _opened(paging)
        try:
            ordered = [item for item in ordered if (key(item) < after if backwards else key(item) > after)]
        except TypeError:
            raise _wrong() from None
    page = tuple(ordered[: paging.limit])
    following = _sealed(paging, key(page[-1])) if len(ordered) > paging.limit else None
    return Page(items=page, next=following, total=len(items))


def _sealed(paging: _Paging, key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps((paging.list, *key)).encode()).decode().rstrip("=")


def _opened(paging: _Paging) -> Key:
    cursor = paging.cursor
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        raise _wrong() from None
    if not isinstance(key, list) or key[:1] != [paging.list]:
        raise _wrong()
    return tuple(key[1:])


def _wrong() -> ProblemError:
    finding = WrongField(
        place="query", path="cursor", message="this is no cursor of this list", remedy="take `next` of the page before"
    )
    return ProblemError("malformed-request", finding.message, remedy=finding.remedy, findings=(finding,))
