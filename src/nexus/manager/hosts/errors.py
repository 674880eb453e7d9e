"""What can be wrong with a request about hosts."""

from nexus.kit.problems import NameTaken, NoCapacity, NotFound, NotSignedIn, Problem, WrongState
from nexus.manager.hosts.placement import CORDONED, Placement


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

    def __init__(self, name: str, *, machines: int, snapshots: int) -> None:
        counts = ((machines, "machine"), (snapshots, "snapshot"))
        found = " and ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count)
        super().__init__(
            f"Cannot remove {name}: {found} {'is' if machines + snapshots == 1 else 'are'} on it.",
            suggestion="Delete them first: their disks are there.",
        )


class HostIsAbandoned(WrongState):
    """It was given up for lost, and is ours no more."""

    code = "host_abandoned"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} was abandoned: nothing is asked of it any more.",
            suggestion="Delete its VMs and then the host; it may join again after that.",
        )


class HostIsSilent(WrongState):
    code = "host_silent"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Cannot drain {name}: it has not been heard from, so nothing on it can be stopped.",
            suggestion="See that its agent runs and reaches the manager; if the host is lost for good, abandon it.",
        )


class HostReports(WrongState):
    """Only a host that is not heard from can be given up for lost."""

    code = "host_reports"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Cannot abandon {name}: it reports, so it is not lost.",
            suggestion="Drain it, delete its VMs, and then the host.",
        )


class HostNotDrained(Problem):
    """Some VMs are not off; the operation's `result` says what became of each."""

    status, code = 502, "host_not_drained"

    def __init__(self, error: str) -> None:
        super().__init__(error, suggestion="The host stays cordoned. See to these VMs, then drain it again.")


class NoRoom(NoCapacity):
    """No host can take the machine; `fault_message` has the reason of each."""

    code = "no_room"

    def __init__(self, wish: str, placement: Placement) -> None:
        self.placement = placement
        is_cordoned = any(place.refusal == CORDONED for place in placement.places)
        way_out = "Uncordon a host" if is_cordoned else "Stop or delete something, ask for less"
        super().__init__(
            f"Cannot {wish}: no host has room for it.",
            suggestion=f"{way_out}, or add a host.",
            fault_message=placement.explain(),
        )
