"""What can be wrong with a request about hosts."""

from nexus.kit.problems import NoCapacity, NotFound, NotSignedIn


class HostNotFound(NotFound):
    code = "host_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such host.", suggestion="List the hosts with GET /v1/hosts or 'nexus host list'.")


class JoinTokenInvalid(NotSignedIn):
    code = "join_token_invalid"

    def __init__(self) -> None:
        super().__init__(
            "This join token is unknown, has been used, or has expired.",
            suggestion="Have an administrator make a new one: POST /v1/hosts/join-tokens.",
        )


class NoRoom(NoCapacity):
    """No host can take the machine; `fault_message` has the reason of each."""

    code = "no_room"

    def __init__(self, wish: str, reasons: str) -> None:
        super().__init__(
            f"Cannot {wish}: no host has room for it.",
            suggestion="Stop or delete something, ask for less, or add a host.",
            fault_message=reasons,
        )
