"""What every route that changes a VM's configuration is asked besides the change itself: on what condition, and how
long the answer may take."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from nexus.kit.http import provided
from nexus.kit.versions import Expected, IfMatch
from nexus.manager.access.models import Actor
from nexus.manager.operations import Wait
from nexus.manager.vms.changing import Change, Changed, VmChanges


@dataclass(frozen=True)
class ChangeRequest:
    """`expected` is the version of the VM that the client has seen (If-Match)."""

    expected: Expected
    _wait: float | None
    _changes: VmChanges

    async def answer(self, actor: Actor, change: Change) -> Changed:
        """The answer to a change that has been committed; see `VmChanges.answer`."""
        return await self._changes.answer(actor, change, wait=self._wait)


async def _asked(
    changes: Annotated[VmChanges, provided(VmChanges)], expected: IfMatch, wait: Wait = None
) -> ChangeRequest:
    return ChangeRequest(expected, wait, changes)


Asked = Annotated[ChangeRequest, Depends(_asked)]
