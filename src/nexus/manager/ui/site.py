"""The exported UI as a tree of files: which file answers which path, with which headers.

The export holds one page for each route; a route with an id is exported once, with `_` in the id's place. So a path is
resolved segment by segment, a file of that very name before the placeholder. Everything is indexed once at start:
no request touches a directory, and no path from outside is ever joined to one.
"""

import base64
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from urllib.parse import unquote

PLACEHOLDER = "_"
_INLINE_SCRIPT = re.compile(rb"<script(?P<attributes>[^>]*)>(?P<body>.*?)</script>", re.DOTALL)
_WORTH_PACKING_BYTES = 1024

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",  # any other type makes the router load the page whole
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
_PACKED = frozenset({".html", ".txt", ".js", ".css", ".json", ".svg"})
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"

_POLICY = (
    "default-src 'self'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
"""Scripts of our own files and those inline ones that the export itself wrote. Styles may be inline: terminal and
charts place their elements so."""


@dataclass(frozen=True)
class File:
    """A file of the site, ready to be sent; `packed` is its gzip form where that is worth having."""

    content: bytes = field(repr=False)
    packed: bytes | None = field(repr=False)
    headers: Mapping[str, str]
    etag: str


class Node:
    """A folder of the tree: files and folders by the segment of the path that names them."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.folders: dict[str, Node] = {}


class Site:
    """The files of one build, in memory (about 2 MB packed)."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._root = Node()
        for name, content in files.items():
            self._add(name, _file(name, content))

    @staticmethod
    @cache
    def packaged() -> "Site | None":
        """The site that belongs to this code; None when it was never built."""
        folder = resources.files(__package__ or "") / "site"
        files = dict(_walk(folder, "")) if folder.is_dir() else {}
        return Site(files) if "index.html" in files else None

    @classmethod
    def at(cls, folder: Path) -> "Site":
        """The site in this directory."""
        return cls(dict(_walk(folder, "")))

    def find(self, raw_path: str) -> File | None:
        """What answers this path, still percent-encoded (`/vms/1f…`); None when nothing does."""
        segments = [unquote(segment) for segment in raw_path.removeprefix("/").split("/")]
        if segments == [""]:
            segments = ["index"]
        if "" in segments:
            return None
        exact = self._exact(segments)
        if exact is not None or segments[0] == "_next":
            return exact
        last = segments[-1]
        if last.endswith(".txt"):  # what the router asks for when it moves to a page
            return _match(self._root, [*segments[:-1], last.removesuffix(".txt")], ".txt")
        return _match(self._root, segments, ".html")

    @property
    def not_found(self) -> File | None:
        return self._root.files.get("404.html")

    def _exact(self, segments: list[str]) -> File | None:
        node: Node | None = self._root
        for segment in segments[:-1]:
            node = node.folders.get(segment) if node else None
        return node.files.get(segments[-1]) if node else None

    def _add(self, name: str, file: File) -> None:
        *folders, last = name.split("/")
        node = self._root
        for folder in folders:
            node = node.folders.setdefault(folder, Node())
        node.files[last] = file


def _match(node: Node, segments: list[str], suffix: str) -> File | None:
    """The static segment wins over the placeholder; where it leads nowhere, the placeholder is tried."""
    head, *rest = segments
    for name in (head, PLACEHOLDER):
        if not rest and (file := node.files.get(name + suffix)):
            return file
        if rest and (folder := node.folders.get(name)) and (found := _match(folder, rest, suffix)):
            return found
    return None


def _walk(folder: Traversable, prefix: str) -> "list[tuple[str, bytes]]":
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        else:
            found.append((f"{prefix}{entry.name}", entry.read_bytes()))
    return found


def _file(name: str, content: bytes) -> File:
    suffix = Path(name).suffix
    packed = gzip.compress(content, 6, mtime=0) if suffix in _PACKED and len(content) > _WORTH_PACKING_BYTES else None
    headers = {
        "Content-Type": _TYPES.get(suffix, "application/octet-stream"),
        "Cache-Control": _FOR_EVER if name.startswith("_next/static/") else _ASK_EACH_TIME,
        "Vary": "Accept-Encoding",
    }
    if suffix == ".html":
        headers["Content-Security-Policy"] = _POLICY.format(
            hashes="".join(f" {one}" for one in _script_hashes(content))
        )
    etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    return File(content, packed, headers, etag)


def _script_hashes(page: bytes) -> list[str]:
    """What a policy names each inline script of a page by (CSP Level 3, section 2.3.1, hash-source)."""
    bodies = [match["body"] for match in _INLINE_SCRIPT.finditer(page) if b"src=" not in match["attributes"]]
    hashes = [base64.b64encode(hashlib.sha256(body).digest()).decode() for body in bodies]
    return [f"'sha256-{one}'" for one in dict.fromkeys(hashes)]
