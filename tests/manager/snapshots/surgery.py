"""Archives taken apart and put together again, with whatever a test wants to be wrong in them."""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from nexus.kit.tar import BLOCK_BYTES, END, TarMember, parse_header
from nexus.protocol.archives import END as LAST
from nexus.protocol.archives import HEAD, ArchiveEnd, tail


@dataclass
class Archive:
    """`head`: the first member, as JSON; `members`: those between it and the end."""

    head: dict[str, Any]
    members: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])

    @classmethod
    def of(cls, data: bytes) -> "Archive":
        members, at = list[tuple[str, bytes]](), 0
        while (member := parse_header(data[at : at + BLOCK_BYTES])) is not None:
            members.append((member.name, data[at + BLOCK_BYTES : at + BLOCK_BYTES + member.size_bytes]))
            at += member.all_bytes
        assert data[at:] == END
        assert (members[0][0], members[-1][0]) == (HEAD, LAST)
        return cls(json.loads(members[0][1]), members[1:-1])

    @property
    def body(self) -> bytes:
        """All before the end."""
        first = (HEAD, json.dumps(self.head).encode())
        return b"".join(TarMember(name, len(content)).whole(content) for name, content in [first, *self.members])

    def packed(self) -> bytes:
        return self.body + tail(ArchiveEnd(bytes=len(self.body), sha256=sha256(self.body).hexdigest()))

    def member(self, prefix: str) -> bytes:
        return next(content for name, content in self.members if name.startswith(prefix))

    def put(self, prefix: str, content: bytes) -> None:
        self.members = [(name, content if name.startswith(prefix) else old) for name, old in self.members]
