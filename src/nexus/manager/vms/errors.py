"""What can be wrong with a request about VMs."""

from nexus.kit.problems import InvalidField, NameTaken, NotFound, Problem, WrongState
from nexus.manager.vms.lifecycle import Refusal


class VmNotFound(NotFound):
    code = "vm_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such VM.", suggestion="List yours with GET /v1/vms or 'nexus vm list'.")


class VmNameTaken(NameTaken):
    code = "vm_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Cannot call a VM {name}: another one has that name.", suggestion="Choose another name, or delete that VM."
        )


class VmStateConflict(WrongState):
    """The VM's state does not allow the verb; `actions` of the VM says what it allows."""

    code = "vm_state_conflict"

    def __init__(self, refusal: Refusal, *, name: str, fault: str | None) -> None:
        super().__init__(refusal.error(name), suggestion=refusal.way_out, fault_message=fault)


class VmLost(WrongState):
    """Its host was abandoned."""

    code = "vm_lost"

    def __init__(self, name: str) -> None:
        super().__init__(f"Cannot reach {name}: its host was given up for lost.", suggestion="Delete it.")


class NoDefaultImage(Problem):
    """The request names no image of this kind, and none is the default."""

    status, code = 422, "no_default_image"

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"No {kind} image was named, and none is the default.",
            suggestion=f"Name one, or register a {kind} image with is_default.",
        )


class DiskTooSmall(InvalidField):
    code = "disk_too_small"


class VmFaulted(Problem):
    """The wish cannot come true; the error says why."""

    status, code = 502, "vm_faulted"


class VmOverdue(Problem):
    """The wish did not come true in time; the platform goes on trying."""

    status, code = 504, "vm_overdue"
