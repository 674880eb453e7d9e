"""What can be wrong with a request about networks."""

from nexus.kit.problems import InvalidField, NoCapacity, NotFound


class NetworkNotFound(NotFound):
    code = "network_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such network.", suggestion="List the networks with GET /v1/networks.")


class AddressRefused(InvalidField):
    """A guest cannot have this address."""

    code = "address_refused"

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"Cannot use address {address}: {reason}.", suggestion="Choose another of its network.")


class NoAddressLeft(NoCapacity):
    code = "no_address_left"

    def __init__(self, network: str) -> None:
        super().__init__(
            f"Network {network} has no address left.", suggestion="Delete VMs that are not needed any more."
        )
