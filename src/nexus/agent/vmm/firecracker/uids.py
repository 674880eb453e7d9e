"""A uid (and gid) of its own for every jail, from a range that nothing else on this host uses (fact 6)."""

from nexus.agent.vmm.port import VmmTrouble


class Uids:
    """`first` … `first + count - 1`; with `own` instead, everything runs under that one uid (development only)."""

    def __init__(self, *, first: int = 0, count: int = 0, own: int | None = None) -> None:
        self._range = range(first, first + count)
        self._own = own
        self._taken: set[int] = set()
        self._next = first

    def take(self) -> int:
        """One that no jail has, and none just given back: its remains must meet no newcomer. Raises VmmTrouble."""
        if self._own is not None:
            return self._own
        for step in range(len(self._range)):
            uid = self._range[(self._next - self._range.start + step) % len(self._range)]
            if uid not in self._taken:
                self._taken.add(uid)
                self._next = uid + 1
                return uid
        raise VmmTrouble(f"all {len(self._range)} uids for VMMs are taken (AGENT_JAIL_UIDS)")

    def hold(self, uid: int) -> None:
        """It belongs to a jail that was there before us."""
        self._taken.add(uid)

    def give_back(self, uid: int) -> None:
        self._taken.discard(uid)

    def __contains__(self, uid: int) -> bool:
        return uid in self._range
