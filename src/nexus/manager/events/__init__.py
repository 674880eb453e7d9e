"""What changed, in the order it was committed: `await events.emit(tx, type="vm.created", subject=…, …)`."""

from nexus.manager.events.service import emit

__all__ = ["emit"]
