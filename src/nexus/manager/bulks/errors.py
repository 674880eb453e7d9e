"""What can be wrong with a bulk."""

from nexus.kit.problems import Conflict, InvalidField, NotFound, Problem
from nexus.manager.bulks.models import MOST_ITEMS, Bulk


class BulkNotFound(NotFound):
    code = "bulk_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such bulk.", suggestion="Bulks are kept for a week.")


class BulkTooLarge(InvalidField):
    code = "bulk_too_large"

    def __init__(self) -> None:
        super().__init__(
            f"filter: more than {MOST_ITEMS} VMs match.", suggestion="Ask for fewer at once: by tag, state or name."
        )


class BulkIncomplete(Conflict):
    """The bulk has ended, and not every VM is where it should be."""

    code = "bulk_incomplete"

    def __init__(self, bulk: Bulk, *, failed: int) -> None:
        super().__init__(
            f"Of {bulk.total} VMs, {failed} did not {bulk.verb}.",
            suggestion=f"See why, for each, with GET /v1/vms/bulk/{bulk.id}.",
        )


class OwnerGone(Conflict):
    """Whoever asked for the bulk is no user any more."""

    code = "owner_gone"

    def __init__(self) -> None:
        super().__init__("Nothing was done: whoever asked for it is no user any more.")


class NotInTime(Problem):
    """The bulk is not over in time; the platform goes on with it."""

    status, code = 504, "bulk_overdue"

    def __init__(self, bulk: Bulk) -> None:
        super().__init__(
            f"Of {bulk.total} VMs, {bulk.waiting + bulk.running} are not there in time.",
            suggestion=f"See how it goes on, for each, with GET /v1/vms/bulk/{bulk.id}.",
        )
