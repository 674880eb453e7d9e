"""A snapshot with all that it needs: a full one alone, a diff over its parent, over its parent, down to a full one.

Must stay true: every file is had either whole or as layers over a whole one further down, and each parent is the very
one that its diff was made over.
"""

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from nexus.agent.snapshots import manifest as manifests
from nexus.agent.snapshots.manifest import Manifest, layer_of
from nexus.agent.storage.composing import Composed, differences, write_layer
from nexus.agent.storage.files import Step, clone
from nexus.agent.storage.layers import Malformed
from nexus.protocol.snapshots import MOST_DIFFS, SnapshotSeen


class SnapshotUnusable(Exception):
    """A machine cannot begin from this snapshot, now or later; the message is a sentence for a user."""


@dataclass(frozen=True)
class Kept:
    """A snapshot that is there. A diff is of use only with its parent."""

    directory: Path
    manifest: Manifest
    checksum: str

    def seen(self) -> SnapshotSeen:
        return manifests.seen(self.manifest, checksum=self.checksum, directory=self.directory)

    def path(self, name: str) -> Path | None:
        """One of its own files."""
        return self.directory / name if any(file.name == name for file in self.manifest.files) else None


@dataclass(frozen=True)
class Lineage:
    """`links` from the full one up to the snapshot itself."""

    links: tuple[Kept, ...]

    @property
    def manifest(self) -> Manifest:
        """The snapshot's own."""
        return self.links[-1].manifest

    @property
    def checksum(self) -> str:
        """Of the snapshot's own manifest."""
        return self.links[-1].checksum

    @property
    def is_whole(self) -> bool:
        """Whether it is a full one, whose files are what they are called."""
        return len(self.links) == 1

    @property
    def directory(self) -> Path:
        """The snapshot's own; of a diff it has layers."""
        return self.links[-1].directory

    def has(self, name: str) -> bool:
        top = self.links[-1]
        return top.path(name) is not None or top.path(layer_of(name)) is not None

    def names(self) -> Iterator[str]:
        """What its files would be called if it were a full one."""
        for file in self.manifest.files:
            name = file.name.removesuffix(layer_of(""))
            yield name if file.name == layer_of(name) else file.name

    @contextlib.contextmanager
    def composed(self, name: str) -> Generator[Composed]:
        """A file of it as if it were a full one. Raises SnapshotUnusable, OSError."""
        whole, layers = self._parts(name)
        try:
            with Composed.open(whole, layers) as file:
                yield file
        except Malformed as broken:
            raise SnapshotUnusable(
                f"The snapshot cannot be used: in its {name} is what is no layer: {broken}."
            ) from broken

    def write(self, name: str, target: Path, step: Step) -> None:
        """Have a file of it in `target`, as if it were a full one. Raises SnapshotUnusable, OSError."""
        whole, layers = self._parts(name)
        if not layers:
            clone(whole, target, step=step)
            return
        with self.composed(name) as file, target.open("wb") as out:
            target.chmod(0o600)
            file.copy_to(out.fileno(), step=step)

    def _parts(self, name: str) -> tuple[Path, list[Path]]:
        """A whole file, and layers over it from the lowest up."""
        layers = list[Path]()
        for kept in reversed(self.links):
            if (whole := kept.path(name)) is not None:
                return whole, layers
            if (layer := kept.path(layer_of(name))) is None:
                break
            layers.insert(0, layer)
        raise SnapshotUnusable(f"The snapshot cannot be used: it has no {name}.")


def lineage(kept: Kept, find: Callable[[UUID], Kept | None]) -> Lineage:
    """Raises SnapshotUnusable where something of it is missing, or is not what it was made over."""
    links = [kept]
    while (parent := links[0].manifest.parent) is not None:
        below = find(parent.id)
        if below is None or below.checksum != parent.checksum or len(links) > MOST_DIFFS:
            raise SnapshotUnusable(
                f"The snapshot cannot be used: {parent.id}, which it needs, is "
                f"{'missing' if below is None else 'not what it was'}; that was changed outside of Nexus."
            )
        links.insert(0, below)
    return Lineage(tuple(links))


def make_layer(path: Path, name: str, parent: Lineage, step: Step) -> None:
    """Have beside a whole file its layer over the parent's file of that name, and in place of it. Raises
    SnapshotUnusable, OSError."""
    layer = path.with_name(layer_of(path.name))
    with parent.composed(name) as base, Composed.open(path) as file, layer.open("xb") as out:
        write_layer(file, differences(file, base, step=step), out.fileno())
    path.unlink()
