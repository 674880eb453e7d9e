"""Types for what clients send, so that a rule about text, numbers or ids stands in one place.

What must stay true: a value is taken as it was sent or refused, never turned into another one; no text holds NUL,
and no number is beyond what a PostgreSQL column of its size holds.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

MOST_INT4 = 2**31 - 1
MOST_INT8 = 2**63 - 1


class RequestBody(BaseModel):
    """The base of every JSON body that a client sends: unknown fields are refused, and no string is taken for a number
    nor a number for a boolean. What JSON has no type for is a string: see `Id`, and `FromText` for enumerations."""

    model_config = ConfigDict(extra="forbid", strict=True)


FromText = Field(strict=False)
"""Marks a field whose type JSON does not have, such as an enumeration: `Annotated[Kind, FromText]`."""

Id = Annotated[UUID, FromText]


@dataclass(frozen=True)
class Spelled:
    """How a name must be spelled: `Annotated[str, Spelled(pattern, "…")]`. The pattern is for programs, and stands in
    the API's description; people are told the rule, in words that follow "must be"."""

    pattern: str
    rule: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """That of `str`, which it must stand at; whatever does not fit is one error of the type `spelling`."""
        return core_schema.custom_error_schema(
            core_schema.str_schema(pattern=self.pattern),
            custom_error_type="spelling",
            custom_error_message=f"must be {self.rule}",
        )


def _without_controls(text: str) -> str:
    if any((ord(char) < 32 and char not in "\n\t") or ord(char) == 127 for char in text):
        raise ValueError("must not contain control characters")
    return text


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of printable characters")
    return text


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL")
    return text


def _of_this_century(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 2100:  # so that its time in UTC is one, whatever its offset
        raise ValueError("must be a time of this century")
    return moment


Prose = Annotated[str, AfterValidator(_without_controls)]
"""Lines of text in any script."""

Line = Annotated[str, AfterValidator(_one_line)]
"""One line of printable characters of any script; no formatting marks, which would hide what stands there."""

Text = Annotated[str, AfterValidator(_without_nul)]
"""Anything that can be stored."""

Int4 = Annotated[int, Field(ge=0, le=MOST_INT4)]
"""A count. One that begins elsewhere says so whole, `int = Field(ge=1, le=MOST_INT4)`: Pydantic would let this bound
win over one that stands beside it."""

Int8 = Annotated[int, Field(ge=0, le=MOST_INT8)]

Moment = Annotated[AwareDatetime, AfterValidator(_of_this_century)]
"""When something was, by another one's clock. With its offset, and neither `infinity` nor beyond what any part of the
platform can reckon with."""
