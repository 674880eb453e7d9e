"""Tar archives as streams, and long things in pieces."""

import io
import tarfile
from collections.abc import AsyncGenerator

import pytest

from nexus.kit.incoming import EndedEarly, Incoming
from nexus.kit.tar import BLOCK_BYTES, END, TarBroken, TarMember, parse_header


def test_what_is_written_any_tar_reads() -> None:
    archive = TarMember("a/b.json", 3).whole(b"{}\n") + TarMember("c", 0).whole(b"") + END
    with tarfile.open(fileobj=io.BytesIO(archive)) as read:
        assert [(one.name, one.size, one.isreg(), one.mode) for one in read] == [
            ("a/b.json", 3, True, 0o600),
            ("c", 0, True, 0o600),
        ]
        assert read.extractfile("a/b.json").read() == b"{}\n"  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 8 << 30, 1 << 45])
def test_a_header_is_read_as_it_was_written_whatever_the_size(size: int) -> None:
    member = TarMember("files/disks/vda.raw", size)
    assert parse_header(member.header()) == member
    assert member.all_bytes % BLOCK_BYTES == 0
    assert member.all_bytes >= BLOCK_BYTES + size


def test_zeros_are_the_end() -> None:
    assert parse_header(bytes(BLOCK_BYTES)) is None


def _header(kind: bytes, *, link: str = "", size: int = 0) -> bytes:
    info = tarfile.TarInfo("a")
    info.type, info.linkname, info.size = kind, link, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "block",
    [
        _header(tarfile.SYMTYPE, link="/etc/passwd"),
        _header(tarfile.LNKTYPE, link="b"),
        _header(tarfile.REGTYPE, link="b"),
        _header(tarfile.DIRTYPE),
        _header(tarfile.CHRTYPE),
        _header(tarfile.FIFOTYPE),
        _header(tarfile.XHDTYPE),
        _header(tarfile.GNUTYPE_LONGNAME),
        _header(tarfile.GNUTYPE_SPARSE),
        _header(tarfile.REGTYPE)[:200] + b"x" + _header(tarfile.REGTYPE)[201:],
        b"x" * BLOCK_BYTES,
        b"a" * 100,
        b"\xff" + _header(tarfile.REGTYPE)[1:],
    ],
)
def test_nothing_but_plain_files_is_read(block: bytes) -> None:
    with pytest.raises(TarBroken):
        parse_header(block)


def test_a_negative_size_is_refused() -> None:
    header = bytearray(_header(tarfile.REGTYPE, size=1))
    header[124:136] = b"\xff" * 12
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(TarBroken, match="size that cannot be"):
        parse_header(bytes(header))


def test_a_name_that_needs_more_than_a_header_is_not_written() -> None:
    with pytest.raises(ValueError, match="too long"):
        TarMember("a" * 100, 0).header()


async def _pieces(*pieces: bytes) -> AsyncGenerator[bytes]:
    for piece in pieces:
        yield piece


async def test_pieces_are_taken_in_other_pieces() -> None:
    incoming = Incoming(_pieces(b"ab", b"", b"cdef", b"g"))
    assert await incoming.exactly(3) == b"abc"
    assert await incoming.exactly(0) == b""
    assert [part async for part in incoming.parts(3)] == [b"def"]
    assert not await incoming.is_over()
    assert await incoming.exactly(1) == b"g"
    assert await incoming.is_over()
    assert incoming.taken_bytes == 7


async def test_what_ends_early_is_told() -> None:
    incoming = Incoming(_pieces(b"abc"))
    await incoming.exactly(1)
    with pytest.raises(EndedEarly, match="after 3 bytes"):
        await incoming.exactly(5)
