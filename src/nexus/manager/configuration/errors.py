"""What can be wrong with a VM's settings, besides a host that does not offer them."""

from nexus.kit.problems import Conflict, InvalidField
from nexus.manager.vms.models import Vm


class BalloonTooBig(InvalidField):
    """A balloon would leave its guest no memory."""

    code = "balloon_too_big"

    def __init__(self, *, amount_mib: int, memory_mib: int) -> None:
        super().__init__(
            f"amount_mib: of {memory_mib} MiB of memory a guest cannot give back {amount_mib}.",
            suggestion=f"Ask for at most {memory_mib - 1} MiB, and for much less if it is to go on running well.",
        )


class NoGuestAgent(Conflict):
    """The VM boots an initramfs of its user's own, so nothing in its guest does this."""

    code = "not_offered"

    def __init__(self, wish: str, vm: Vm) -> None:
        super().__init__(
            f"Cannot {wish} {vm.name}: it boots an initramfs of its own, without the platform's agent in the guest.",
            suggestion="Set its boot-source to the platform's initramfs, by leaving initrd out.",
        )
