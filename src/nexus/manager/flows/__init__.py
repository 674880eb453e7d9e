"""The engine that makes wishes true: see docs/architecture.md, and `flow.Flow` for what a slice writes."""

from nexus.manager.flows.engine import Engine
from nexus.manager.flows.flow import Flow, in_tx, on_agent
from nexus.manager.flows.models import DECIDE, Finish, Hop, Nap, Next, finish, hop, nap
from nexus.manager.flows.service import Flows

__all__ = [
    "DECIDE",
    "Engine",
    "Finish",
    "Flow",
    "Flows",
    "Hop",
    "Nap",
    "Next",
    "finish",
    "hop",
    "in_tx",
    "nap",
    "on_agent",
]
