"""What will be asked and what will befall: all of it from a seed, before anything happens.

Nothing here looks at an answer, so that one seed is one plan; what becomes of it is the platform's affair and the
machine's scheduling's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random


class Ask(StrEnum):
    """What users do."""

    CREATE = "create"
    START = "start"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    REBOOT = "reboot"
    EDIT = "edit"
    RESIZE = "configure"
    ATTACH = "attach"
    """A drive."""
    DETACH = "detach"
    PLUG = "plug"
    """A NIC."""
    UNPLUG = "unplug"
    SNAPSHOT = "snapshot"
    FORGET = "forget"
    """A snapshot."""
    ROLLBACK = "rollback"
    SUSPEND = "suspend"
    INSTANTIATE = "instantiate"
    CLONE = "clone"
    BULK = "bulk"
    DELETE = "delete"
    LOOK = "look"


class Blow(StrEnum):
    """What befalls the platform."""

    KILL = "kill"
    """SIGKILL to a manager, an agent or PostgreSQL."""
    RESTART = "restart"
    """PostgreSQL is stopped in order, and started."""
    CUT = "cut"
    """A line breaks: its connections with it, and new ones are refused."""
    FREEZE = "freeze"
    """A line carries nothing; what was sent arrives when it is over, or never."""
    STALL = "stall"
    """SIGSTOP to a manager or an agent, SIGCONT later: sometimes past its leases."""
    END_GUEST = "end_guest"
    """A VMM dies, or its guest ends by itself. With the fake driver that happens while the agent is down."""
    REBOOT = "reboot"
    """A host restarts: its agent and all that ran on it is gone, and the kernel has another boot id."""


MOSTLY_PROCESSES = {
    Blow.KILL: 70,
    Blow.RESTART: 3,
    Blow.CUT: 9,
    Blow.FREEZE: 9,
    Blow.STALL: 4,
    Blow.END_GUEST: 4,
    Blow.REBOOT: 1,
}
MANY_GUESTS = MOSTLY_PROCESSES | {Blow.END_GUEST: 30}
CRASHES = (Blow.KILL, Blow.RESTART, Blow.END_GUEST, Blow.REBOOT)
POSTGRES = "postgres"


@dataclass(frozen=True)
class Action:
    """One request of one user. `fields` go into its body."""

    number: int
    name: str
    """Of the VM."""
    ask: Ask
    fields: dict[str, object] = field(default_factory=dict[str, object])
    gives_up: bool = False
    """Whether the user lets it be when the connection is lost, instead of asking again under the same key."""
    wait_s: int | None = None


@dataclass(frozen=True)
class Fault:
    """One blow to `target`, `after_s` after the one before; it is made good after `lasts_s`."""

    number: int
    blow: Blow
    target: str
    after_s: float
    lasts_s: float
    skew_s: float = 0.0
    """How wrong the clock of the process is that takes the place of the one killed."""
    loses: bool = False
    """Of a frozen line: whether what was under way is lost when it thaws."""

    @property
    def is_crash(self) -> bool:
        return self.blow in CRASHES


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much of everything."""

    actions: int
    crashes: int
    users: int
    names: int
    """VMs at a time, at most."""
    managers: int = 2
    agents: int = 3
    pace_s: float = 0.5
    """Between two faults, on average."""
    lease_s: int = 30
    """MANAGER_FLOW_LEASE_S."""
    memory_mib: int = 128
    clones: int = 2
    """Of a VM at a time."""
    grace_s: tuple[int, ...] = (0, 1, 5)
    blows: Mapping[Blow, int] = field(default_factory=lambda: MOSTLY_PROCESSES)
    """How often each befalls, by weight."""
    outlasts: bool = True
    """Whether lines are sometimes cut until their host counts as silent, and processes stalled past their leases: for
    some twenty, and more than thirty seconds."""

    def members(self, kind: str) -> list[str]:
        return [f"{kind}-{number}" for number in range(1, getattr(self, f"{kind}s") + 1)]


@dataclass(frozen=True)
class Plan:
    seed: int
    extent: Extent
    users: tuple[tuple[Action, ...], ...]
    faults: tuple[Fault, ...]


def plan(seed: int, extent: Extent) -> Plan:
    """The plan of a seed."""
    return Plan(seed, extent, _users(Random(f"{seed}/users"), extent), _faults(Random(f"{seed}/faults"), extent))


_WEIGHTS = {
    Ask.START: 16,
    Ask.STOP: 14,
    Ask.PAUSE: 8,
    Ask.RESUME: 10,
    Ask.REBOOT: 6,
    Ask.EDIT: 5,
    Ask.RESIZE: 5,
    Ask.ATTACH: 4,
    Ask.DETACH: 3,
    Ask.PLUG: 2,
    Ask.UNPLUG: 2,
    Ask.SNAPSHOT: 12,
    Ask.FORGET: 4,
    Ask.ROLLBACK: 6,
    Ask.SUSPEND: 6,
    Ask.CLONE: 2,
    Ask.BULK: 2,
    Ask.LOOK: 6,
    Ask.DELETE: 7,
    Ask.CREATE: 2,
}
_FROM_A_SNAPSHOT = 0.25
"""How often a new VM is made of a snapshot."""
_OTHERS_VM = 0.1
"""How often a user asks something of a VM that another one is busy with."""


def _users(random: Random, extent: Extent) -> tuple[tuple[Action, ...], ...]:
    names = [f"c-{number:03}" for number in range(extent.names)]
    exists: set[str] = set()
    devices: dict[tuple[str, Ask], list[str]] = {}
    scripts: list[list[Action]] = [[] for _ in range(extent.users)]
    for number in range(extent.actions):
        user = number % extent.users
        is_own = random.random() >= _OTHERS_VM
        name = random.choice([name for at, name in enumerate(names) if not is_own or at % extent.users == user])
        ask = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0] if name in exists else _beginning(random)
        exists = exists - {name} if ask is Ask.DELETE else exists | {name}
        fields = _fields(random, extent, ask, number)
        if ask is Ask.BULK:
            fields["names"] = random.sample(names[user :: extent.users], min(3, len(names[user :: extent.users])))
        scripts[user].append(
            Action(
                number,
                name,
                ask,
                fields | _device(random, devices, name, ask, number),
                gives_up=random.random() < 0.1,
                wait_s=random.choice([1, 3]) if random.random() < 0.1 else None,
            )
        )
    return tuple(tuple(script) for script in scripts)


def _fields(random: Random, extent: Extent, ask: Ask, number: int) -> dict[str, object]:
    if ask is Ask.CREATE:
        policy = random.choice(["always", "never"])
        return {"mem_mib": extent.memory_mib, "start": random.random() < 0.8, "restart_policy": policy}
    if ask is Ask.STOP:
        return {"grace_s": random.choice(extent.grace_s)}
    if ask is Ask.RESIZE:
        return {"mem_mib": extent.memory_mib + random.randrange(1, 32)}
    if ask is Ask.SNAPSHOT:
        return {"name": f"s-{number}", "snapshot_type": random.choices(["Full", "Diff"], [2, 1])[0]}
    if ask is Ask.CLONE:
        return {"name": f"k-{number}", "count": extent.clones, "description": f"cloned by {number}"}
    if ask is Ask.BULK:
        return {"verb": random.choice(["start", "stop", "pause", "resume"]), "grace_s": 0}
    return {"description": f"edited by {number}"} if ask in (Ask.EDIT, Ask.INSTANTIATE) else {}


def _beginning(random: Random) -> Ask:
    return Ask.INSTANTIATE if random.random() < _FROM_A_SNAPSHOT else Ask.CREATE


_ADDED = {Ask.ATTACH: "d", Ask.PLUG: "n"}
_REMOVED = {Ask.DETACH: Ask.ATTACH, Ask.UNPLUG: Ask.PLUG}


def _device(
    random: Random, devices: dict[tuple[str, Ask], list[str]], name: str, ask: Ask, number: int
) -> dict[str, object]:
    """Which drive or NIC an action is about; one to be removed was asked for before, of a VM of that name."""
    if ask in _ADDED:
        device = f"{_ADDED[ask]}{number}"
        devices.setdefault((name, ask), []).append(device)
        return {"device": device}
    if ask in _REMOVED:
        known = devices.get((name, _REMOVED[ask]))
        return {"device": known.pop(random.randrange(len(known))) if known else "none"}
    return {}


def _faults(random: Random, extent: Extent) -> tuple[Fault, ...]:
    faults: list[Fault] = []
    while sum(fault.is_crash for fault in faults) < extent.crashes:
        blow = random.choices(list(extent.blows), list(extent.blows.values()))[0]
        faults.append(
            Fault(
                len(faults) + 1,
                blow,
                _target(random, extent, blow),
                after_s=random.expovariate(1 / extent.pace_s),
                lasts_s=_lasts_s(random, blow, outlasts=extent.outlasts),
                skew_s=random.choice([0, 0, random.uniform(-2400, 2400)]),
                loses=random.random() < 0.5,
            )
        )
    return tuple(faults)


def _target(random: Random, extent: Extent, blow: Blow) -> str:
    managers, agents = extent.members("manager"), extent.members("agent")
    if blow is Blow.KILL:
        kind = random.choices([managers, agents, [POSTGRES]], [30, 58, 12])[0]
        return random.choice(kind)
    if blow is Blow.RESTART:
        return POSTGRES
    if blow is Blow.STALL:
        return random.choice(managers + agents)
    if blow in (Blow.END_GUEST, Blow.REBOOT):
        return random.choice(agents)
    return f"{random.choice(agents)}/{random.choice(['up', 'down', 'both'])}"


def _lasts_s(random: Random, blow: Blow, *, outlasts: bool) -> float:
    """Mostly short."""
    is_long = random.random() < 0.1
    if blow in (Blow.CUT, Blow.FREEZE):
        return random.uniform(17, 25) if is_long and outlasts else random.expovariate(1 / 2.0)
    if blow is Blow.STALL:
        return random.uniform(31, 36) if is_long and outlasts else random.expovariate(1 / 2.0)
    return min(random.expovariate(1 / 0.4), 4.0)
