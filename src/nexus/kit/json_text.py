"""JSON that can be read in one way only, and kept.

It is UTF-8 and means the same to every parser: no key twice, no NaN or Infinity, no number beyond a double, no half of
a surrogate pair. Python's parser lets all of these pass, and what comes of them is a value that nobody sent, or one
that no database can hold.
"""

import json
import math
from typing import Any, NoReturn

from nexus.kit.problems import Malformed


def parse_json(source: bytes | str) -> Any:
    """The value of a JSON text. Raises Malformed for one that is not, or that parsers would read differently."""
    try:
        text = source.decode() if isinstance(source, bytes) else source
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError as broken:
        raise _not_json("it holds bytes or escapes that are no characters") from broken
    except RecursionError as deep:
        raise _not_json("it is nested too deeply") from deep
    except ValueError as wrong:
        raise _not_json(str(wrong)) from wrong
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise ValueError("a number is too large")
    return number


def _not_json(why: str) -> Malformed:
    return Malformed(f"The body is not JSON: {why}.", suggestion="Send a JSON object, encoded as UTF-8.")
