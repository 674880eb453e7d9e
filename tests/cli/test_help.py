"""Every command explains itself; docs/cli-reference.md is what they say, and NEXUS_UPDATE_GOLDEN=1 writes it anew."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from tests.cli.harness import Process, Run, vm
from tests.cli.stub_manager import StubManager
from typer.core import TyperGroup
from typer.testing import CliRunner

from nexus.cli.main import app
from nexus.local.typed import COMMANDS

REFERENCE = Path(__file__).parents[2] / "docs" / "cli-reference.md"
PASSED_ON = (("manager",), ("agent",))
"""Their help is that of the program they become."""


def paths(group: TyperGroup, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield above
    for name, one in group.commands.items():
        if isinstance(one, TyperGroup):
            yield from paths(one, (*above, name))
        elif (name,) not in PASSED_ON:
            yield (*above, name)


def root() -> TyperGroup:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def every_command() -> list[tuple[str, ...]]:
    return list(paths(root()))


def is_noun(path: tuple[str, ...]) -> bool:
    found: object = root()
    for name in path:
        assert isinstance(found, TyperGroup)
        found = found.commands[name]
    return isinstance(found, TyperGroup)


def help_of(path: tuple[str, ...]) -> str:
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "100"}, prog_name="nexus")
    assert shown.exit_code == 0
    return shown.stdout.rstrip()


def reference() -> str:
    parts = ["# Command reference\n\nWhat every `--help` says. [cli.md](cli.md) tells how the commands behave.\n"]
    parts += [f"## {' '.join(('nexus', *path))}\n\n```\n{help_of(path)}\n```\n" for path in every_command()]
    return "\n".join(parts)


def test_the_reference_is_what_the_commands_say() -> None:
    text = reference()
    if os.environ.get("NEXUS_UPDATE_GOLDEN"):
        REFERENCE.write_text(text)
    assert text == REFERENCE.read_text()


@pytest.mark.parametrize(
    "path",
    [path for path in every_command() if (len(path) != 1 or path[0] in ("login", "events")) and not is_noun(path)],
)
def test_every_command_gives_an_example(path: tuple[str, ...]) -> None:
    assert "Examples:" in help_of(path)


def test_messages_name_every_command_as_it_was_typed_and_nothing_else() -> None:
    assert set(COMMANDS) == set(root().commands)


def test_without_a_command_the_help_is_shown(nexus: Run) -> None:
    assert nexus().exit_code == 2
    assert "nexus vm create web-1" in nexus().output


def test_help_loads_neither_http_nor_rich(process: Process) -> None:
    shown = process("vm", "--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rsplit(b"|", 1)[-1].strip() for line in shown.stderr.splitlines()}
    assert b"typer" in imported
    assert imported.isdisjoint({b"httpx", b"rich", b"websockets", b"asyncio", b"nexus.client.api", b"nexus.local.up"})


def test_a_list_loads_neither_rich_nor_websockets(process: Process, stub: StubManager) -> None:
    stub.have(vm(1))
    listed = process("vm", "list", env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rsplit(b"|", 1)[-1].strip() for line in listed.stderr.splitlines()}
    assert b"httpx" in imported
    assert imported.isdisjoint({b"rich", b"websockets", b"nexus.local.up", b"yaml"})
