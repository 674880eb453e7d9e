"""What a VM's state is called and what may be done to it: pure rules, the only place that knows them.

`state_of` names the state from wish and observation; it is stored with the row, so that SQL can filter by it. `ACTIONS`
says for every state which verbs are allowed and, where one is not, why and what to do instead; requests, the `actions`
field of every VM and disabled buttons all quote it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from nexus.manager.machines.lifecycle import Facts, Goal, conclude, is_reached
from nexus.protocol.hosts import Offer
from nexus.protocol.machines import GuestPhase, Power


class State(StrEnum):
    """Every state a VM can be in; the list is closed."""

    CREATING = "creating"
    STARTING = "starting"
    RUNNING = "running"
    """The hypervisor runs it; whether its guest is ready is another field."""
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    ERROR = "error"
    UNKNOWN = "unknown"
    """Its host has not been heard from."""
    DELETING = "deleting"


class Verb(StrEnum):
    """What a user can ask of an existing VM."""

    START = "start"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    SUSPEND = "suspend"
    REBOOT = "reboot"
    SNAPSHOT = "snapshot"
    ROLLBACK = "rollback"
    CLONE = "clone"
    CTRL_ALT_DEL = "ctrl-alt-del"
    CONSOLE = "console"
    SHELL = "shell"
    EXEC = "exec"
    FORWARD = "forward"
    COPY_FILES = "copy-files"
    FLUSH_METRICS = "flush-metrics"
    CONFIGURE = "configure"
    DELETE = "delete"


def state_of(facts: Facts, *, host_is_silent: bool) -> State:
    """Name the state that follows from wish and observation."""
    if facts.goal is Goal.GONE:
        return State.DELETING
    if facts.is_abandoned:
        return State.ERROR
    if host_is_silent:
        return State.UNKNOWN
    if facts.goal is Goal.OFF and is_reached(facts):
        return State.SUSPENDED if facts.is_suspended else State.STOPPED
    if facts.obstacle or (facts.late and not is_reached(facts)):
        return State.ERROR
    if not facts.is_defined:
        return State.CREATING
    return _state_while_moving(facts)


def _state_while_moving(facts: Facts) -> State:
    if facts.goal is Goal.OFF:
        return State.STOPPING
    if facts.has_ended and facts.exit is not None:
        verdict = conclude(facts.goal, facts.exit, restart_policy=facts.restart_policy)
        return State.STARTING if verdict.boots_again else State.ERROR if verdict.goal is facts.goal else State.STOPPED
    if facts.seen is Power.OFF or not facts.is_current:
        return State.STARTING
    return State.PAUSED if facts.seen is Power.PAUSED else State.RUNNING


_ALLOWED: dict[Verb, frozenset[State]] = {
    Verb.START: frozenset({State.STOPPED, State.SUSPENDED, State.ERROR}),
    Verb.STOP: frozenset(
        {State.CREATING, State.STARTING, State.RUNNING, State.PAUSED, State.STOPPING, State.SUSPENDED, State.ERROR}
    ),
    Verb.PAUSE: frozenset({State.RUNNING}),
    Verb.RESUME: frozenset({State.PAUSED, State.SUSPENDED}),
    Verb.SUSPEND: frozenset({State.RUNNING, State.PAUSED}),
    Verb.REBOOT: frozenset({State.RUNNING, State.ERROR}),
    Verb.SNAPSHOT: frozenset({State.RUNNING, State.PAUSED, State.STOPPED}),
    Verb.ROLLBACK: frozenset({State.RUNNING, State.PAUSED, State.STOPPED, State.SUSPENDED, State.ERROR}),
    Verb.CLONE: frozenset({State.RUNNING, State.PAUSED, State.STOPPED}),
    Verb.CTRL_ALT_DEL: frozenset({State.RUNNING}),
    Verb.CONSOLE: frozenset({State.STARTING, State.RUNNING, State.PAUSED}),
    Verb.SHELL: frozenset({State.RUNNING}),
    Verb.EXEC: frozenset({State.RUNNING}),
    Verb.FORWARD: frozenset({State.RUNNING}),
    Verb.COPY_FILES: frozenset({State.RUNNING}),
    Verb.FLUSH_METRICS: frozenset({State.RUNNING, State.PAUSED}),
    Verb.CONFIGURE: frozenset(State) - {State.SUSPENDED, State.UNKNOWN, State.DELETING},
    Verb.DELETE: frozenset(State) - {State.DELETING},
}

_BY_THE_GUEST = (Verb.SHELL, Verb.EXEC, Verb.FORWARD, Verb.COPY_FILES)
"""Verbs that the agent in the guest carries out."""

_BY_SNAPSHOTS = (Verb.SUSPEND, Verb.SNAPSHOT, Verb.ROLLBACK, Verb.CLONE)
"""Verbs that take a host that can make snapshots."""

ENDS_IN: Mapping[Verb, State] = {
    Verb.START: State.RUNNING,
    Verb.STOP: State.STOPPED,
    Verb.PAUSE: State.PAUSED,
    Verb.RESUME: State.RUNNING,
}
"""Where a verb leads: a VM that is there already has nothing left to do."""

_PHRASES: dict[Verb, str] = {
    Verb.START: "start",
    Verb.STOP: "stop",
    Verb.PAUSE: "pause",
    Verb.RESUME: "resume",
    Verb.SUSPEND: "suspend",
    Verb.REBOOT: "reboot",
    Verb.SNAPSHOT: "take a snapshot of",
    Verb.ROLLBACK: "roll back",
    Verb.CLONE: "clone",
    Verb.CTRL_ALT_DEL: "send Ctrl+Alt+Del to",
    Verb.CONSOLE: "open the console of",
    Verb.SHELL: "open a shell on",
    Verb.EXEC: "run a command on",
    Verb.FORWARD: "forward a port of",
    Verb.COPY_FILES: "copy files of",
    Verb.FLUSH_METRICS: "read the metrics of",
    Verb.CONFIGURE: "change the configuration of",
    Verb.DELETE: "delete",
}

_OBSTACLES: dict[State, tuple[str, str]] = {
    State.CREATING: ("it is still being created", "Wait until it is running."),
    State.STARTING: ("it is still starting", "Wait until it is running."),
    State.RUNNING: ("it is already running", "Pause, reboot or stop it instead."),
    State.PAUSED: ("it is paused", "Resume it first."),
    State.STOPPING: ("it is shutting down", "Wait until it has stopped."),
    State.STOPPED: ("it is off", "Start it first."),
    State.SUSPENDED: ("it is suspended", "Resume it first."),
    State.ERROR: ("it has failed", "See its `fault`; then start, reboot, stop or delete it."),
    State.UNKNOWN: ("its host has not been heard from", "See that the agent on its host runs and reaches the manager."),
    State.DELETING: ("it is being deleted", "Create a new one."),
}


def wording(verb: Verb, name: str) -> str:
    """What completes "Cannot …": "open a shell on web-1"."""
    return f"{_PHRASES[verb]} {name}"


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What besides the state decides on a verb. In states in which none of them does, they are all the same."""

    is_abandoned: bool = False
    guest_is_ready: bool = True
    can_pause: bool = True
    can_ctrl_alt_del: bool = True
    can_snapshot: bool = True

    @classmethod
    def of(cls, guest: GuestPhase, offers: frozenset[Offer], *, is_abandoned: bool) -> "Circumstances":
        return cls(
            is_abandoned=is_abandoned,
            guest_is_ready=guest is GuestPhase.READY,
            can_pause=Offer.PAUSE in offers,
            can_ctrl_alt_del=Offer.CTRL_ALT_DEL in offers,
            can_snapshot=Offer.SNAPSHOT in offers,
        )


@dataclass(frozen=True)
class Refusal:
    """Why a verb is not allowed. `obstacle` completes "Cannot stop web-1: …"; `way_out` is a sentence."""

    verb: Verb
    obstacle: str
    way_out: str

    def error(self, name: str) -> str:
        return f"Cannot {wording(self.verb, name)}: {self.obstacle}."

    def sentence(self, name: str) -> str:
        return f"{self.error(name)} {self.way_out}"


def refusal(verb: Verb, state: State, circumstances: Circumstances) -> Refusal | None:
    """Why `verb` is not allowed now; None: it is."""
    if state is State.ERROR and circumstances.is_abandoned and verb is not Verb.DELETE:
        return Refusal(verb, "its host was given up for lost, and its disks were there", "Delete it.")
    if state not in _ALLOWED[verb]:
        return Refusal(verb, *_OBSTACLES[state])
    if verb in _BY_SNAPSHOTS and not circumstances.can_snapshot:
        return Refusal(verb, "its host's hypervisor makes no snapshots", "Others do: see `offers` of the hosts.")
    if state is not State.RUNNING:
        return None
    if verb in _BY_THE_GUEST and not circumstances.guest_is_ready:
        way_out = "Wait until `guest` is ready; one that boots an initramfs of its own has no agent."
        return Refusal(verb, "the agent in its guest does not answer yet", way_out)
    if verb is Verb.PAUSE and not circumstances.can_pause:
        return Refusal(verb, "its host's hypervisor cannot pause", "Stop it instead.")
    if verb is Verb.CTRL_ALT_DEL and not circumstances.can_ctrl_alt_del:
        return Refusal(verb, "its host's hypervisor cannot send keys", "Reboot it instead.")
    return None


def actions(state: State, circumstances: Circumstances) -> Mapping[Verb, Refusal | None]:
    """Every verb with its refusal, in the order a user would read them."""
    return {verb: refusal(verb, state, circumstances) for verb in Verb}
