"""Slices stay apart: what one may import of another, and which way imports go inside of one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import nexus.manager

ROOT = Path(nexus.manager.__file__).parent
OWN_BUSINESS = {"repository", "routes", "flow", "schemas"}
"""What no other slice may touch: its tables, its HTTP, its steps. The rest is what a slice offers."""

MAY = {("sweeps", "events.repository"), ("sweeps", "operations.repository")}
"""The sweep that expires what nobody needs any more."""

DOWNWARDS = ("routes", "service", "repository", "models")


def imports() -> Iterator[tuple[str, str, str, str]]:
    """Every import of a slice's module by one: (slice, module, of slice, module)."""
    for file in sorted(ROOT.glob("*/*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("nexus.manager."):
                continue
            of, *rest = (node.module or "").split(".")[2:]
            for module in rest or [alias.name for alias in node.names]:
                yield file.parent.name, file.stem, of, module


def test_no_slice_touches_what_is_another_ones_own() -> None:
    found = {(mine, f"{of}.{module}") for mine, _, of, module in imports() if mine != of and module in OWN_BUSINESS}
    assert found == MAY


def test_imports_inside_a_slice_go_down() -> None:
    upwards = [
        (mine, module, imported)
        for mine, module, of, imported in imports()
        if mine == of
        and module in DOWNWARDS
        and imported in DOWNWARDS
        and DOWNWARDS.index(imported) <= DOWNWARDS.index(module)
    ]
    assert upwards == []
