"""A row of `networks`."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Network:
    id: UUID
    name: str
    bridge: str
    gateway: IPv4Interface
    nat: bool
    dns: tuple[IPv4Address, ...]
