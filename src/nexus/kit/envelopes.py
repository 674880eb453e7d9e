"""The two envelopes that every answer about objects comes in: `{"items": […]}` and `{"item": {…}}`, described by models
and, where PostgreSQL has built the JSON, put together as text.

A slice names its own, so that the API's description has one schema for each: `class ImageList(Items[ImageBody])`.
"""

from typing import Generic, TypeVar

from pydantic import BaseModel, Field
from starlette.responses import Response

T = TypeVar("T")


class Items(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T] = Field(description="The objects on this page, in the order asked for")
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last one")


class Item(BaseModel, Generic[T]):
    """One object."""

    item: T = Field(description="The object asked for")


class Json(Response):
    """An answer that is JSON text already."""

    media_type = "application/json"


def item_json(item: str) -> bytes:
    """The body of `Item` around one object's JSON; that of `Items` is `Page.json_answer`'s."""
    return f'{{"item":{item}}}'.encode()
