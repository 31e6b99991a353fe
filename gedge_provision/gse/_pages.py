"""Lists page by page: a cursor says after which item the next page begins, whatever came or went meanwhile."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from gedge_provision.gse._inputs import Number
from gedge_provision.gse._problems import ProblemError, WrongField

__all__ = ["Cursor", "Limit", "Page", "paged"]

T = TypeVar("T")
Key = tuple[Any, ...]

Limit = Annotated[Number, Query(ge=1, le=500, description="So many items at most.")]
Cursor = Annotated[str, Query(max_length=1024, pattern=r"^[A-Za-z0-9_-]*$", description="`next` of the page before.")]


class Page(BaseModel, Generic[T]):
    """A page of a list."""

    items: tuple[T, ...]
    next: str | None = Field(description="Cursor of the next page; null on the last one.")
    total: int = Field(description="How many items all pages have.")


def paged(items: Sequence[T], limit: int, cursor: str, key: Callable[[T], Key], *, backwards: bool = False) -> Page[T]:
    """Return a page of items.

    Args:
        items: all of them, in any order.
        limit: how many a page has at most.
        cursor: of the page before; empty for the first.
        key: by which they are sorted; of text, numbers and truth values, and different for each item.
        backwards: the largest key comes first.

    Raises:
        ProblemError: the cursor is none of this list.
    """
    ordered = sorted(items, key=key, reverse=backwards)
    if cursor:
        after = _opened(cursor)
        try:
            ordered = [item for item in ordered if (key(item) < after if backwards else key(item) > after)]
        except TypeError:
            raise _wrong() from None
    page = tuple(ordered[:limit])
    following = _sealed(key(page[-1])) if len(ordered) > limit else None
    return Page(items=page, next=following, total=len(items))


def _sealed(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _opened(cursor: str) -> Key:
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        raise _wrong() from None
    if not isinstance(key, list) or not key:
        raise _wrong()
    return tuple(key)


def _wrong() -> ProblemError:
    finding = WrongField(
        place="query", path="cursor", message="this is no cursor of this list", remedy="take `next` of the page before"
    )
    return ProblemError("malformed-request", finding.message, remedy=finding.remedy, findings=(finding,))
