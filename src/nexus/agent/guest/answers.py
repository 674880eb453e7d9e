"""What a guest's HTTP answers mean, for whoever reads them without an HTTP client."""

from typing import Final

from pydantic import ValidationError

from nexus.protocol.base import Message
from nexus.protocol.trouble import Gone, Refused, Retryable, Trouble

MAX_HEAD_BYTES: Final = 16384
LONGEST_WORDS: Final = 300
"""Characters of what a guest says went wrong."""


class _Error(Message):
    error: str


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers by lower-case name. Raises ValueError, LookupError."""
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split(" ", 2)[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}


def trouble_of(status: int, body: bytes) -> Trouble:
    """404 is Gone, 400, 409 and 422 are Refused, anything else Retryable; in the guest's own words, as far as they are
    short and can be printed: whoever is root there may have chosen them."""
    try:
        said = _Error.model_validate_json(body).error[:LONGEST_WORDS]
        message = "".join(character if character.isprintable() else " " for character in said)
    except ValidationError:
        message = f"the guest's agent answered {status}"
    kind = {400: Refused, 404: Gone, 409: Refused, 422: Refused}.get(status, Retryable)
    return kind(message)
