"""Builds the files of a package archive, so that reading them is tested without any archive."""

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable

import zstandard

Compress = Callable[[bytes], bytes]

COMPRESSIONS: dict[str, Compress] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def ar(members: dict[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}".encode() + b"`\n"
        out += data + b"\n" * (len(data) % 2)
    return out


def tar(files: dict[str, bytes], *, links: dict[str, str] | None = None, hard: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(data), 0o755, 1_700_000_000
            archive.addfile(info, io.BytesIO(data))
        for kind, table in ((tarfile.SYMTYPE, links or {}), (tarfile.LNKTYPE, hard or {})):
            for name, target in table.items():
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, target
                archive.addfile(info)
    return out.getvalue()


def deb(files: dict[str, bytes], *, suffix: str = ".xz", control: str = "") -> bytes:
    """A package of `files`, its data compressed as `suffix` says."""
    return ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar.gz": gzip.compress(tar({"./control": control.encode()})),
            f"data.tar{suffix}": COMPRESSIONS[suffix](tar(files)),
        }
    )
