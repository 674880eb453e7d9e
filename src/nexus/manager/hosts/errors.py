"""What can be wrong with a request about hosts."""

from nexus.kit.problems import NameTaken, NoCapacity, NotFound, NotSignedIn, WrongState


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


class HostNameTaken(NameTaken):
    code = "host_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is another host, which is online.",
            suggestion="Give this one another name (AGENT_NAME). If it is the same machine, stop its other agent.",
        )


class HostInUse(WrongState):
    code = "host_in_use"

    def __init__(self, name: str, machines: int) -> None:
        super().__init__(
            f"Cannot remove {name}: {machines} {'machine is' if machines == 1 else 'machines are'} on it.",
            suggestion="Delete them first: their disks are there.",
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
