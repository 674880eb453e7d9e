"""A snapshot as one archive, which goes from platform to platform (docs/snapshots.md has the format).

A tar of plain files in this order: HEAD, the manager's; images that the snapshot uses in place; MANIFEST and FILES, the
agent's; END. Manager and agent each write and read their own part of the stream, and neither needs a file to put it in.
Must stay true: an archive that ends early, or was changed on the way, is told by its END.
"""

from hashlib import sha256
from typing import Annotated, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from nexus.kit.fields import Int8, Moment
from nexus.kit.json_text import parse_json
from nexus.kit.problems import Problem
from nexus.kit.tar import BLOCK_BYTES, TarBroken, TarMember, parse_header
from nexus.kit.tar import END as END_OF_TAR
from nexus.protocol.base import Message
from nexus.protocol.machines import Sha256, Told
from nexus.protocol.snapshots import SnapshotDisk, SnapshotPins

_M = TypeVar("_M", bound=BaseModel)

FORMAT = 1
"""The one that is written, and the only one that is read."""
MEDIA_TYPE = "application/x-tar"
HEAD, MANIFEST, END = "snapshot.json", "manifest.json", "end.json"
IMAGES, FILES = "images/", "files/"
WISH = "wish.json"
"""Of what a manager sends to an agent, the first member; it is in no archive."""
MOST_JSON_BYTES = 4 << 20
"""Of each of the members that are JSON."""

FileName = Annotated[str, StringConstraints(pattern=r"^(memory|state|disks/[A-Za-z0-9_]{1,64}\.raw)$")]


class ArchivedFile(Message):
    """A file of the snapshot, as a layer against nothing (agent/storage/layers.py) below FILES."""

    name: FileName = Field(description="By which hosts keep it")
    size_bytes: Int8 = Field(description="Of the file itself, zeros included")
    layer_bytes: Int8 = Field(description="Of the layer, and so of the archive's member")
    digest: Sha256 = Field(description="Of the file, as hosts compute it (protocol/agent.md)")


class ArchivedSnapshot(Message):
    """MANIFEST: what a host says of the snapshot, and its files in the order in which they follow."""

    disks: tuple[SnapshotDisk, ...] = Field(max_length=64, description="All disks of the machine, in order")
    pins: SnapshotPins | None = Field(description="What its memory needs; None: it holds none")
    files: tuple[ArchivedFile, ...] = Field(max_length=66, description="What follows")
    is_consistent: bool = Field(description="Its guest's file systems were at rest, or its machine was off")
    warning: Told | None = Field(description="In which way it is less than it could be")
    taken_at: Moment = Field(description="The moment that it holds")
    paused_ms: Int8 | None = Field(description="How long its guest stood still for it")


class ImportWish(Message):
    """WISH: PUT /v1/snapshots/{snapshot}: have this snapshot, of what follows."""

    machine: UUID = Field(description="The machine that it is to be of, which no host has")
    memory_mib: int | None = Field(ge=1, description="What its machine has; None: memory is not taken")
    disks: tuple[SnapshotDisk, ...] = Field(max_length=64, description="The disks it has to be of")
    most_bytes: Int8 = Field(description="How much there is room for")


class ArchiveEnd(Message):
    """END: of all bytes before its own header."""

    bytes: Int8 = Field(description="How many they are")
    sha256: Sha256 = Field(description="Their digest")


TAIL_BYTES = 2 * BLOCK_BYTES + len(END_OF_TAR)
"""What an archive ends with: header and content of END, and the tar's own end."""


def tail(end: ArchiveEnd) -> bytes:
    """How an archive ends."""
    content = end.model_dump_json().encode()
    return TarMember(END, len(content)).whole(content) + END_OF_TAR


def parse_tail(data: bytes) -> ArchiveEnd:
    """From the last TAIL_BYTES of an archive. Raises TarBroken."""
    member = parse_header(data[:BLOCK_BYTES]) if len(data) == TAIL_BYTES else None
    if member is None or member.name != END or member.size_bytes > BLOCK_BYTES or any(data[2 * BLOCK_BYTES :]):
        raise TarBroken("it does not end as an archive of a snapshot does")
    return parse_end(data[BLOCK_BYTES : BLOCK_BYTES + member.size_bytes])


def parse_member(name: str, content: bytes, kind: type[_M]) -> _M:
    """A member that is JSON. Raises TarBroken for one that is not what was promised of it."""
    try:
        parse_json(content)
        return kind.model_validate_json(content)
    except Problem as malformed:
        raise TarBroken(f"its {name} is no JSON") from malformed
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        where, told = ".".join(str(part) for part in first["loc"]), first["msg"].removeprefix("Value error, ")
        raise TarBroken(f"its {name} cannot be read ({where + ': ' if where else ''}{told})") from wrong


def parse_end(content: bytes) -> ArchiveEnd:
    """From the content of END. Raises TarBroken."""
    try:
        return ArchiveEnd.model_validate_json(content)
    except ValidationError as broken:
        raise TarBroken("its end says nothing that can be read") from broken


class WholeArchive:
    """Looks on while an archive passes, and says in the end whether all of it did."""

    def __init__(self) -> None:
        self._digest = sha256()
        self._bytes = 0
        self._tail = b""

    def feed(self, piece: bytes) -> None:
        """The next bytes of it."""
        data = self._tail + piece
        passed = max(0, len(data) - TAIL_BYTES)
        self._digest.update(memoryview(data)[:passed])
        self._bytes += passed
        self._tail = data[passed:]

    def check(self) -> None:
        """Nothing more comes. Raises TarBroken unless that was a whole archive, and nothing but one."""
        end = parse_tail(self._tail)
        if (end.bytes, end.sha256) != (self._bytes, self._digest.hexdigest()):
            raise TarBroken("it is not what was written: its end has another digest")
