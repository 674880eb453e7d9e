"""What can be wrong with a request about NICs."""

from nexus.kit.problems import Conflict, InvalidField, NameTaken, NotFound


class NicNotFound(NotFound):
    code = "nic_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no such NIC of {name}.", suggestion="List them with 'nexus vm nic list'.")


class IfaceIdTaken(NameTaken):
    code = "iface_id_taken"

    def __init__(self, iface_id: str, name: str) -> None:
        super().__init__(
            f"Cannot add NIC {iface_id} to {name}: it has one of that iface_id.", suggestion="Choose another."
        )


class MacTaken(NameTaken):
    code = "mac_taken"

    def __init__(self, mac: str) -> None:
        super().__init__(
            f"Cannot use MAC address {mac}: another NIC has it.", suggestion="Leave guest_mac out to have one made."
        )


class MacRefused(InvalidField):
    """An address that no interface can have."""

    code = "mac_refused"


class TooManyNics(Conflict):
    code = "too_many_nics"

    def __init__(self, name: str, most: int) -> None:
        super().__init__(f"Cannot add a NIC to {name}: it has {most}, the most there can be.")
