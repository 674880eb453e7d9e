"""What can be wrong with a request about networks."""

from nexus.kit.problems import NoCapacity, NotFound


class NetworkNotFound(NotFound):
    code = "network_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such network.", suggestion="List the networks with GET /v1/networks.")


class NoAddressLeft(NoCapacity):
    code = "no_address_left"

    def __init__(self, network: str) -> None:
        super().__init__(
            f"Network {network} has no address left.", suggestion="Delete VMs that are not needed any more."
        )
