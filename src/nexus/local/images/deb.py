"""Reads Debian packages with the standard library, so that any Linux machine can and nothing is installed.

A package is an `ar` archive holding a tar archive `data.tar`, compressed or not. Format: deb(5).
"""

import gzip
import io
import lzma
import shutil
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import zstandard


class BadPackage(Exception):
    """The file is no Debian package that we can read."""


@contextmanager
def open_data(path: Path) -> Generator[tarfile.TarFile]:
    """The package's files as a tar stream: go through it once, forwards. Raises BadPackage."""
    with (
        _reporting_damage(path),
        _decompressed(*_data_member(path)) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
    ):
        yield tar


@contextmanager
def open_data_at_random(path: Path) -> Generator[tarfile.TarFile]:
    """The package's files to read in any order, by way of a nameless file beside `path`. Raises BadPackage."""
    with _reporting_damage(path), tempfile.TemporaryFile(dir=path.parent) as unpacked:
        with _decompressed(*_data_member(path)) as stream:
            shutil.copyfileobj(stream, unpacked, 1 << 20)
        unpacked.seek(0)
        with tarfile.open(fileobj=unpacked, mode="r:") as tar:
            yield tar


@contextmanager
def _reporting_damage(path: Path) -> Generator[None]:
    try:
        yield
    except (tarfile.TarError, lzma.LZMAError, zstandard.ZstdError, gzip.BadGzipFile, EOFError) as broken:
        raise BadPackage(f"{path.name} is damaged: {broken}") from broken


def _data_member(path: Path) -> tuple[str, bytes]:
    with path.open("rb") as file:
        if file.read(8) != b"!<arch>\n":
            raise BadPackage(f"{path.name} is no Debian package")
        while len(header := file.read(60)) == 60:
            name, size = header[:16].decode("ascii", "replace").strip().rstrip("/"), int(header[48:58])
            if name.startswith("data.tar"):
                payload = file.read(size)
                if len(payload) != size:
                    raise BadPackage(f"{path.name} ends too early")
                return name, payload
            file.seek(size + size % 2, io.SEEK_CUR)
    raise BadPackage(f"{path.name} holds no data archive")


def _decompressed(name: str, payload: bytes) -> IO[bytes]:
    raw = io.BytesIO(payload)
    match name.removeprefix("data.tar"):
        case ".xz" | ".lzma":
            return lzma.open(raw)
        case ".gz":
            return cast(IO[bytes], gzip.open(raw))
        case ".zst":
            return zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        case "":
            return raw
        case other:
            raise BadPackage(f"data.tar{other} is a compression we do not read")
