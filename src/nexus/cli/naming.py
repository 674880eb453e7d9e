"""From what a person types to the object meant: an id, or a name, with help where neither fits."""

import difflib
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from nexus.cli.failures import REFUSED, CliFailure


class Named(Protocol):
    @property
    def id(self) -> UUID: ...
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)

MOST_SUGGESTED = 400
"""Among how many objects a name that was meant is looked for."""


def as_id(given: str) -> UUID | None:
    """The id in `given`, if it is one."""
    try:
        return UUID(given)
    except ValueError:
        return None


def the(
    noun: str,
    given: str,
    *,
    get: Callable[[UUID], N],
    named: Callable[[str], Sequence[N]],
    everything: Callable[[], Sequence[N]],
) -> N:
    """The one object meant by `given`. Raises CliFailure for none and for several."""
    if (known := as_id(given)) is not None:
        return get(known)
    matches = [one for one in named(given) if one.name == given]
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = ", ".join(str(one.id) for one in matches)
        raise CliFailure(
            f"{given!r} could be {len(matches)} {noun}s.", suggestion=f"Say which by its id: {ids}", exit_code=REFUSED
        )
    raise CliFailure(
        f"There is no {noun} {given!r}.", suggestion=_did_you_mean(noun, given, everything()), exit_code=REFUSED
    )


def _did_you_mean(noun: str, given: str, candidates: Sequence[Named]) -> str:
    close = difflib.get_close_matches(given, [one.name for one in candidates], n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"`nexus {noun.lower().replace(' ', '-')} list` shows what there is."
