"""The two envelopes that every answer about objects comes in: `{"items": […]}` and `{"item": {…}}`.

A slice names its own, so that the API's description has one schema for each: `class ImageList(Items[ImageBody])`.
"""

from typing import Generic, TypeVar

from pydantic import BaseModel, Field

T = TypeVar("T")


class Items(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T] = Field(description="The objects on this page, in the order asked for")
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last one")


class Item(BaseModel, Generic[T]):
    """One object."""

    item: T = Field(description="The object asked for")
