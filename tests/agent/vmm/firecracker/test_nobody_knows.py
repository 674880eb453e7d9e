"""Outside of the driver's folder no code knows that Firecracker exists, but where it is chosen and looked after."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[4] / "src" / "nexus"
WORDS = ("firecracker", "jailer")
MAY_KNOW = ("agent/settings.py", "agent/vmm/choose.py", "agent/doctor.py", "agent/production.py")
"""Settings, detection, doctor; packaging is no code."""


def known_to(code: str) -> Iterator[str]:
    """Names, modules and texts of the words; what is only told to people (docstrings, descriptions) is no knowledge."""
    if not any(word in code.lower() for word in WORDS):
        return
    tree = ast.parse(code)
    told = {id(each) for node in ast.walk(tree) for each in texts_for_people(node)}
    for node in ast.walk(tree):
        for name in names_in(node, told):
            if any(word in name.lower() for word in WORDS):
                yield f"line {getattr(node, 'lineno', 0)}: {name}"


def texts_for_people(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    if isinstance(node, ast.keyword) and node.arg == "description":
        yield from ast.walk(node.value)


def names_in(node: ast.AST, told: set[int]) -> Iterator[str]:
    match node:
        case ast.Constant(value=str() as text) if id(node) not in told:
            yield text
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.alias(name=name):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.ImportFrom(module=str() as name) | ast.keyword(arg=str() as name):
            yield name
        case _:
            return


def modules() -> list[Path]:
    driver = SOURCE / "agent" / "vmm" / "firecracker"
    return [path for path in sorted(SOURCE.rglob("*.py")) if driver not in path.parents]


def test_no_module_but_those_that_choose_and_examine_it_knows_of_firecracker() -> None:
    knowing = {
        str(path.relative_to(SOURCE)): found for path in modules() if (found := list(known_to(path.read_text())))
    }
    assert {name: found for name, found in knowing.items() if name not in MAY_KNOW} == {}
    assert sorted(knowing) == sorted(MAY_KNOW), "the list is no longer than it has to be"


def test_no_table_knows_of_it() -> None:
    tables = [path for path in SOURCE.rglob("*.sql") if any(word in path.read_text().lower() for word in WORDS)]
    assert tables == []


@pytest.mark.parametrize(
    "code",
    [
        "from nexus.agent.vmm.firecracker import detect",
        "import nexus.agent.vmm.firecracker",
        "if vmm.name == 'firecracker':\n    pass",
        "def firecracker_only():\n    pass",
        "start(jailer=None)",
    ],
)
def test_knowledge_is_found_where_it_is(code: str) -> None:
    assert list(known_to(code))


def test_words_for_people_are_none() -> None:
    assert list(known_to('"""As Firecracker does."""\nField(description="firecracker, qemu")\n')) == []
