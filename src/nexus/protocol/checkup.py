"""What a machine can do for Nexus, and what it lacks. `python -m nexus.agent doctor --json` prints a `Checkup` of what
only the agent can find out by proof (hypervisor, network, limits, storage); `nexus doctor` adds the rest.
"""

from enum import StrEnum

from pydantic import Field

from nexus.protocol.base import Message


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    """Nexus works without it, but slower, less isolated or with less to offer."""
    MISSING = "missing"
    """Nexus does not work without it."""


class Finding(Message):
    """One thing that was looked at."""

    name: str = Field(description="What: 'QEMU', 'acceleration', 'network' …")
    verdict: Verdict
    found: str = Field(description="What was found, in a few words")
    fix: str | None = Field(default=None, description="What to run or do, where the verdict is not ok")


class Checkup(Message):
    findings: tuple[Finding, ...]
