"""Who did what, when: `await audit.write(tx, actor, verb="stop", subject=Subject("vm", vm.id, vm.name))`."""

from nexus.manager.audit.service import write, write_as

__all__ = ["write", "write_as"]
